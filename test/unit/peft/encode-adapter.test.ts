// Factors as PEFT saves them, read again by the reader of strangers' files: ranks, scales and places as they were.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CanonicalAdapter, CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { alphaOf, encodePeftAdapter, type EncodeOptions } from '#src/peft/encode-adapter.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { createSmallModules } from '#test/fixtures/small-adapter.js';

const modules = createSmallModules();

function createAdapter(chosen: readonly number[], rankOf: (i: number) => number, scaleOf: (i: number) => number): CanonicalAdapter {
  const random = createRandomTensors(4);
  return {
    modules: chosen.map((index, i): CanonicalModule => {
      const module = modules[index];
      assert.ok(module !== undefined);
      const fill = (count: number): Float32Array => Float32Array.from(random.vector(count));
      const rank = rankOf(i);
      return { layer: module.layer, class: module.class, rank, scale: scaleOf(i), a: fill(rank * module.dIn), b: fill(module.dOut * rank) };
    }),
  };
}

function encode(adapter: CanonicalAdapter, options: Partial<EncodeOptions> = {}) {
  const { config, weights } = encodePeftAdapter(adapter, modules, { baseModelName: 'tiny/base', ...options });
  const again = readPeftAdapter(parseAdapterConfig(config), Buffer.concat(weights), modules);
  return { json: JSON.parse(config.toString()) as Record<string, unknown>, again };
}

describe('encodePeftAdapter', () => {
  it('names classes where all of their modules are adapted', () => {
    // q and v of both layers.
    const adapter = createAdapter(
      [0, 2, 7, 9],
      () => 2,
      () => 4,
    );
    const { json, again } = encode(adapter);
    assert.deepEqual([json['target_modules'], json['r'], json['lora_alpha']], [['q_proj', 'v_proj'], 2, 8]);
    assert.deepEqual([json['rank_pattern'], json['alpha_pattern']], [{}, {}]);
    assert.equal(digestOfAdapter(again), digestOfAdapter(adapter));
  });

  it('names modules where some of a class are not, and says by pattern what differs', () => {
    const adapter = createAdapter(
      [0, 2, 9, 13],
      (i) => [1, 3, 1, 1][i] ?? 1,
      (i) => [0.1, 0.7 / 3, 0.7, -1.3][i] ?? 1,
    );
    const { json, again } = encode(adapter);
    assert.deepEqual(
      json['target_modules'],
      [0, 2, 9, 13].map((index) => modules[index]?.path),
    );
    assert.deepEqual(json['rank_pattern'], { 'model.layers.0.self_attn.v_proj': 3 });
    assert.equal(digestOfAdapter(again), digestOfAdapter(adapter));
  });

  it('says by class what differs in a whole class', () => {
    const { json, again } = encode(
      createAdapter(
        [0, 1, 2, 7, 8, 9],
        (i) => [2, 2, 5][i % 3] ?? 2,
        () => 1,
      ),
    );
    assert.deepEqual([json['rank_pattern'], json['alpha_pattern']], [{ v_proj: 5 }, { v_proj: 5 }]);
    assert.deepEqual(
      again.modules.map(({ rank, scale }) => [rank, scale]),
      [2, 2, 5, 2, 2, 5].map((rank) => [rank, 1]),
    );
  });

  it('says rsLoRA as rsLoRA', () => {
    const adapter = createAdapter(
      [0, 7],
      () => 5,
      () => 3 / Math.sqrt(5),
    );
    const { json, again } = encode(adapter, { useRslora: true });
    assert.deepEqual([json['use_rslora'], json['lora_alpha']], [true, 3]);
    assert.equal(digestOfAdapter(again), digestOfAdapter(adapter));
  });
});

describe('alphaOf', () => {
  it('finds an alpha that divides to the scale exactly, whatever alpha it came from', () => {
    const random = createRandomTensors(6);
    for (let rank = 1; rank <= 256; rank++) {
      for (const alpha of [1, 16, 7.3, 0.1, ...random.vector(20, 100)]) {
        for (const divisor of [rank, Math.sqrt(rank)])
          assert.equal(alphaOf(alpha / divisor, divisor) / divisor, alpha / divisor, `${alpha} / ${divisor}`);
      }
    }
    assert.equal(alphaOf(16 / 3, 3), 16);
    assert.equal(alphaOf(0, 8), 0);
  });
});
