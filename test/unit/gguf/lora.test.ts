// A GGUF LoRA there and back: names and order of rows as llama.cpp's converter has them, numbers kept, what does not fit refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { CanonicalAdapter, CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { encodeGgufLora } from '#src/gguf/encode-lora.js';
import { interleaveHalves, separateHalves } from '#src/gguf/lora-names.js';
import { parseGgufHeader } from '#src/gguf/read-header.js';
import { readGgufLora } from '#src/gguf/read-lora.js';
import { encodeGgufHeader, type GgufTensorToWrite, type GgufValue } from '#src/gguf/write-header.js';
import { BraidError } from '#src/http/braid-error.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { TINY_CONFIG } from '#test/fixtures/tiny-model.js';

const folder = mkdtempSync(join(tmpdir(), 'braid-gguf-'));
after(() => rmSync(folder, { recursive: true }));
const config = parseModelConfig({ ...TINY_CONFIG, tie_word_embeddings: false });
const modules = listLinearModules(config);

function createAdapter(classes: readonly LinearClass[], scaleOf: (index: number) => number, rank = 3): CanonicalAdapter {
  const random = createRandomTensors(8);
  const adapted = modules.filter((module) => classes.includes(module.class));
  return {
    modules: adapted.map(({ layer, class: linearClass, dIn, dOut }, i): CanonicalModule => {
      const fill = (count: number): Float32Array => Float32Array.from(random.vector(count));
      return { layer, class: linearClass, rank, scale: scaleOf(i), a: fill(rank * dIn), b: fill(dOut * rank) };
    }),
  };
}

function write(bytes: Buffer): string {
  const path = join(folder, 'adapter.gguf');
  writeFileSync(path, bytes);
  return path;
}

const read = (bytes: Buffer): Promise<CanonicalAdapter> => readGgufLora(write(bytes), modules, config, 'adapter.gguf');
const encode = (adapter: CanonicalAdapter): Buffer => Buffer.concat(encodeGgufLora(adapter, modules, config, 'me/it'));

describe('there and back', () => {
  it('keeps the digest where one float32 alpha says all scales, embedding and output layer included', async () => {
    const adapter = createAdapter(['q_proj', 'k_proj', 'down_proj', 'embed_tokens', 'lm_head'], () => 2.5 / 3);
    assert.equal(digestOfAdapter(await read(encode(adapter))), digestOfAdapter(adapter));
  });

  it('keeps the products where scales differ, are negative or zero', async () => {
    const adapter = createAdapter(['q_proj', 'v_proj'], (i) => [0, -1.5, 0.3, 7][i] ?? 1);
    const found = await read(encode(adapter));
    for (const [i, { scale, b }] of adapter.modules.entries()) {
      const other = found.modules[i];
      assert.ok(other !== undefined);
      assert.deepEqual(other.a, adapter.modules[i]?.a);
      for (const [k, value] of b.entries()) {
        const expected = scale * value;
        assert.ok(Math.abs(other.scale * (other.b[k] ?? NaN) - expected) <= 3e-7 * Math.abs(expected));
      }
    }
  });

  it('names tensors and lays shapes as convert_lora_to_gguf.py does', () => {
    const bytes = encode(createAdapter(['o_proj', 'up_proj', 'embed_tokens', 'lm_head'], () => 1));
    const { tensors, metadata } = parseGgufHeader(bytes, bytes.byteLength, 'x');
    assert.deepEqual(
      [...tensors].map(([name, { shape }]) => `${name} ${shape.join('x')}`),
      [
        ...['blk.0.attn_output.weight.lora_a 3x64', 'blk.0.attn_output.weight.lora_b 32x3'],
        ...['blk.0.ffn_up.weight.lora_a 3x32', 'blk.0.ffn_up.weight.lora_b 48x3'],
        ...['blk.1.attn_output.weight.lora_a 3x64', 'blk.1.attn_output.weight.lora_b 32x3'],
        ...['blk.1.ffn_up.weight.lora_a 3x32', 'blk.1.ffn_up.weight.lora_b 48x3'],
        ...['token_embd.weight.lora_a 272x3', 'token_embd.weight.lora_b 32x3'],
        ...['output.weight.lora_a 3x32', 'output.weight.lora_b 272x3'],
      ],
    );
    assert.equal(metadata.get('adapter.lora.alpha'), 3);
    assert.equal(metadata.get('general.architecture'), 'llama');
  });

  it('interleaves the halves of each head, and parts them again', () => {
    const rows = Float32Array.from({ length: 8 }, (_, i) => i);
    assert.deepEqual([...interleaveHalves(rows, 1, 2)], [0, 2, 1, 3, 4, 6, 5, 7]);
    assert.deepEqual([...interleaveHalves(rows, 2, 1)], [0, 1, 4, 5, 2, 3, 6, 7]);
    const many = Float32Array.from(createRandomTensors(2).vector(4 * 16 * 3));
    assert.deepEqual(separateHalves(interleaveHalves(many, 3, 4), 3, 4), many);
  });
});

const METADATA: Readonly<Record<string, GgufValue>> = {
  'general.type': { type: 'string', value: 'adapter' },
  'general.architecture': { type: 'string', value: 'llama' },
  'adapter.type': { type: 'string', value: 'lora' },
  'adapter.lora.alpha': { type: 'float32', value: 4 },
};
const Q_A = { name: 'blk.0.attn_q.weight.lora_a', shape: [2, 32] };
const Q_B = { name: 'blk.0.attn_q.weight.lora_b', shape: [64, 2] };

function encodeFile(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensorToWrite[], fill = 0): Buffer {
  return Buffer.concat([encodeGgufHeader(metadata, tensors), Buffer.alloc(1 << 20, fill)]);
}

const WRONG: Readonly<Record<string, readonly [bytes: Buffer, reason: RegExp]>> = {
  'a model': [encodeFile({ ...METADATA, 'general.type': { type: 'string', value: 'model' } }, [Q_A, Q_B]), /general\.type is "model"/],
  'another family': [encodeFile({ ...METADATA, 'general.architecture': { type: 'string', value: 'qwen2' } }, [Q_A, Q_B]), /must be llama/],
  'no kind': [encodeFile({}, [Q_A, Q_B]), /general\.type is missing/],
  'an alpha that is no number': [
    encodeFile({ ...METADATA, 'adapter.lora.alpha': { type: 'float32', value: NaN } }, [Q_A, Q_B]),
    /alpha is "NaN"/,
  ],
  'A alone': [encodeFile(METADATA, [Q_A]), /lora_a alone/],
  'another width': [encodeFile(METADATA, [{ ...Q_A, shape: [2, 33] }, Q_B]), /shape \[2, 33\], the base needs \[2, 32\]/],
  'ranks that differ': [encodeFile(METADATA, [{ ...Q_A, shape: [3, 32] }, Q_B]), /the base needs \[2, 32\]/],
  'a layer too many': [
    encodeFile(METADATA, [Q_A, Q_B, { name: 'blk.2.attn_q.weight.lora_a', shape: [2, 32] }]),
    /"blk\.2\.attn_q\.weight\.lora_a" belongs to none/,
  ],
  'a norm': [encodeFile(METADATA, [Q_A, Q_B, { name: 'blk.0.attn_norm.weight', shape: [32] }]), /attn_norm/],
  'no tensors': [encodeFile(METADATA, []), /no tensors/],
  'numbers that are none': [encodeFile(METADATA, [Q_A, Q_B], 0xff), /holds NaN at index 0/],
};

describe('refuses', () => {
  for (const [name, [bytes, reason]] of Object.entries(WRONG)) {
    it(name, async () => {
      await assert.rejects(
        read(bytes),
        (error) => error instanceof BraidError && error.code === 'GGUF_NOT_LORA' && reason.test(error.message),
      );
    });
  }

  it('a rank beyond any use', async () => {
    const wide = [
      { ...Q_A, shape: [1025, 32] },
      { ...Q_B, shape: [64, 1025] },
    ];
    await assert.rejects(read(encodeFile(METADATA, wide)), /rank 1025, at most 1024/);
  });
});
