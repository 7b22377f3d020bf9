// The reader on adapters that PEFT itself wrote: tiny ones of every variant, and those trained for the real model.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { BraidError } from '#src/http/braid-error.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { deltaNorm } from '#src/peft/delta-norm.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';

function getPath(...parts: string[]): string {
  const path = findSharedPath(...parts);
  assert.ok(path, `${parts.join('/')} is missing`);
  return path;
}

function readFolder(folder: string, modelFolder: string): CanonicalAdapter {
  const config: unknown = JSON.parse(readFileSync(join(modelFolder, 'config.json'), 'utf8'));
  return readPeftAdapter(
    parseAdapterConfig(readFileSync(join(folder, 'adapter_config.json'))),
    readFileSync(join(folder, 'adapter_model.safetensors')),
    listLinearModules(parseModelConfig(config)),
  );
}

function codeOf(read: () => CanonicalAdapter): string {
  try {
    read();
    return 'taken';
  } catch (error) {
    return error instanceof BraidError ? error.code : String(error);
  }
}

describe('the golden adapters', { skip: findSharedPath('golden') === undefined && sharedFolderMissing }, () => {
  const expectations: Readonly<Record<string, string>> = {
    // Whole only with the gain that publishing measures on the base.
    'dora-r4': 'Error: model.layers.0.self_attn.q_proj needs its gain',
    ia3: 'ADAPTER_TYPE_UNSUPPORTED',
    'lora-bias': 'ADAPTER_FEATURE_UNSUPPORTED',
    'modules-to-save': 'ADAPTER_FEATURE_UNSUPPORTED',
    'trained-bias': 'ADAPTER_FEATURE_UNSUPPORTED',
  };
  for (const model of ['llama', 'llama-untied', 'mistral', 'qwen2', 'qwen3']) {
    for (const kind of ['adapters', 'refused']) {
      const folder = findSharedPath('golden', model, kind);
      for (const name of folder === undefined ? [] : readdirSync(folder)) {
        it(`${model}/${name}`, () => {
          const read = () => readFolder(getPath('golden', model, kind, name), getPath('golden', model, 'model'));
          assert.equal(codeOf(read), expectations[name] ?? 'taken');
          if (expectations[name] === undefined) for (const module of read().modules) assert.ok(deltaNorm(module) > 0);
        });
      }
    }
  }

  it('lora-patterns has the ranks and scales that its configuration names', () => {
    const { modules } = readFolder(getPath('golden/llama/adapters/lora-patterns'), getPath('golden/llama/model'));
    assert.equal(modules.length, 21);
    for (const { layer, class: linearClass, rank, scale } of modules) {
      const place = `${layer}.${linearClass}`;
      const expectedRank = linearClass === 'q_proj' ? 7 : place === '1.up_proj' ? 2 : 4;
      const alpha = linearClass === 'q_proj' ? 20 : linearClass === 'v_proj' ? 3 : 8;
      assert.deepEqual([rank, scale], [expectedRank, alpha / expectedRank], place);
    }
  });

  it('of another model are refused for their shapes or modules', () => {
    const codes = ['llama-untied/adapters/lora-r6-qv', 'phi3/adapters/lora-r4-all', 'llama3-rope/adapters/lora-r4-all'].map((name) =>
      codeOf(() => readFolder(getPath('golden', name), getPath('golden/llama/model'))),
    );
    assert.deepEqual(codes, ['ADAPTER_SHAPE_MISMATCH', 'ADAPTER_TENSOR_UNKNOWN', 'ADAPTER_TENSOR_UNKNOWN']);
  });
});

test(
  'every adapter of the real model is taken, DoRA as far as a file alone goes',
  { skip: findSharedPath('adapters') === undefined && sharedFolderMissing },
  () => {
    let taken = 0;
    for (const name of readdirSync(getPath('adapters'))) {
      const read = () => readFolder(getPath('adapters', name), getPath('models/smollm2-135m-instruct'));
      if (name.endsWith('-dora')) {
        assert.match(codeOf(read), /needs its gain/, name);
        continue;
      }
      const { modules } = read();
      // AdaLoRA pruned some modules whole.
      const expected = name.endsWith('-lora-r8-all') ? 210 : name.endsWith('-adalora') ? 50 : 60;
      assert.equal(modules.length, expected, name);
      assert.ok(
        modules.every((module) => deltaNorm(module) > 0),
        name,
      );
      taken++;
    }
    assert.equal(taken, 27);
  },
);
