// Parameters and bytes on disk, predicted from configurations, are exactly those of the files that transformers and PEFT wrote.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { listLinearModules } from '#kernels/models/models.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { findPatternValues, findTargetModules } from '#src/peft/match-modules.js';
import { chooseAdaptedModules, listFactorTensors, listSavedBaseTensors, type AdaptedModule } from '#src/plan/adapted-modules.js';
import { countParameters, listParameters, type ParameterTensor } from '#src/plan/count-parameters.js';
import { sizeOfSafetensors } from '#src/plan/safetensors-size.js';
import { GEMMA2, GEMMA3, PHI3, type Json } from '#test/fixtures/family-configs.js';
import { listGoldenModels } from '#test/fixtures/golden.js';
import { readTensorLocations } from '#test/fixtures/model-directory.js';
import { LLAMA2_7B_CONFIG } from '#test/fixtures/plan-request.js';

function readConfig(directory: string): ReturnType<typeof parseDecoderConfig> {
  return parseDecoderConfig(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')));
}

/** Names, shapes and size to the byte. */
function assertFile(directory: string, file: string, tensors: readonly ParameterTensor[]): void {
  const locations = readTensorLocations(directory, file);
  assert.deepEqual(
    new Map(tensors.map(({ name, shape }) => [name, [...shape]])),
    new Map([...locations].map(([name, { shape }]) => [name, shape])),
  );
  assert.equal(sizeOfSafetensors(tensors, 'fp32'), statSync(join(directory, file)).size);
}

/** The modules that an adapter's own configuration names, with the ranks it gives them. */
function readAdapted(directory: string, modelDirectory: string): AdaptedModule[] {
  const config = parseAdapterConfig(readFileSync(join(directory, 'adapter_config.json')));
  const modules = findTargetModules(config, listLinearModules(readConfig(modelDirectory)));
  const ranks = findPatternValues(config.rankPattern, modules, 'rank_pattern');
  return modules.map((module, i) => ({ module, rank: ranks[i] ?? config.rank }));
}

for (const model of listGoldenModels()) {
  const directory = join(model.directory, 'model');
  it(`${model.name}: every tensor, and the file's size`, () => {
    assertFile(directory, 'model.safetensors', listParameters(readConfig(directory)));
  });
  for (const adapter of model.adapters) {
    it(`${model.name}, ${adapter}: every factor, and the file's size`, () => {
      const path = join(model.directory, 'adapters', adapter);
      const adapted = readAdapted(path, directory);
      assertFile(path, 'adapter_model.safetensors', [...listFactorTensors(adapted), ...listSavedBaseTensors(adapted)]);
    });
  }
}

describe('models on the Hub have as many parameters as their pages say:', () => {
  const counts: [name: string, config: Json, parameters: number][] = [
    ['gemma-2-2b-it', GEMMA2, 2_614_341_888],
    ['gemma-3-1b-it', GEMMA3, 999_885_952],
    ['Phi-3-mini-4k-instruct', PHI3, 3_821_079_552],
  ];
  for (const [name, config, parameters] of counts) {
    it(name, () => {
      assert.equal(countParameters(listParameters(parseDecoderConfig(config))), parameters);
    });
  }
});

describe('LLaMA2-7B', () => {
  const config = parseDecoderConfig(LLAMA2_7B_CONFIG);

  it('has 6.74 billion parameters', () => {
    assert.equal(countParameters(listParameters(config)), 6_738_415_616);
  });

  it('has 45,088,768 in its first feed-forward matrix, of which a pair of rank 4 is a thousandth', () => {
    const adapted = chooseAdaptedModules(config, ['model.layers.0.mlp.gate_proj'], 4);
    const [found] = adapted;
    assert.ok(found !== undefined && adapted.length === 1);
    const matrix = found.module.dIn * found.module.dOut;
    const pair = countParameters(listFactorTensors(adapted));
    assert.deepEqual([matrix, pair], [45_088_768, 60_416]);
    assert.ok(Math.abs(pair / matrix - 0.001) < 0.0005);
  });
});

describe('targets', () => {
  const config = parseDecoderConfig(LLAMA2_7B_CONFIG);
  const namesOf = (targets: readonly string[]): string[] => [
    ...new Set(chooseAdaptedModules(config, targets, 4).map(({ module }) => module.class)),
  ];

  it('are names, all linear layers but the output layer, or both together', () => {
    assert.deepEqual(namesOf(['v_proj', 'q_proj']), ['q_proj', 'v_proj']);
    assert.equal(namesOf(['all-linear']).length, 7);
    assert.deepEqual(namesOf(['lm_head', 'all-linear']).at(-1), 'lm_head');
  });

  it('that match nothing are refused with the names there are', () => {
    assert.throws(() => namesOf(['q_proj', 'query']), {
      code: 'PLAN_TARGETS_UNMATCHED',
      message: /called "query"\. Name some of q_proj, k_proj, .*lm_head/,
    });
    assert.throws(() => namesOf(['model.layers.32.self_attn.q_proj']), { code: 'PLAN_TARGETS_UNMATCHED' });
  });

  it('of a smaller side than the rank are refused with the highest rank', () => {
    assert.throws(() => chooseAdaptedModules(config, ['k_proj'], 4097), {
      code: 'PLAN_RANK_TOO_HIGH',
      message: /Rank 4097 is more than model\.layers\.0\.self_attn\.k_proj can have.* 4096 × 4096, so 4096 is the highest/,
    });
  });
});
