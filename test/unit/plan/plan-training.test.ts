// Training: the figures that are told of LLaMA2-7B, activations against what PyTorch saved, and the states of each optimizer and precision.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { chooseAdaptedModules, listFactorTensors } from '#src/plan/adapted-modules.js';
import { countActivationBytes, type StepOptions } from '#src/plan/count-activations.js';
import { countParameters } from '#src/plan/count-parameters.js';
import { createPlan, type Plan, type PlanRequest } from '#src/plan/create-plan.js';
import type { NumberFormat } from '#src/plan/precision.js';
import { createPlanRequest, LLAMA2_7B_CONFIG } from '#test/fixtures/plan-request.js';

const GB = 1e9;
const PARAMETERS = 6_738_415_616;

function assertNear(found: number, expected: number, tolerance: number, what = ''): void {
  assert.ok(Math.abs(found / expected - 1) <= tolerance, `${what} ${found}, expected ${expected}`);
}

function plan7b(changes: Partial<PlanRequest> = {}): Plan {
  return createPlan(LLAMA2_7B_CONFIG, createPlanRequest(changes));
}

describe('LLaMA2-7B in bf16, AdamW, one sequence of 1024 tokens', () => {
  const { full, lora } = plan7b().training;

  it('takes about 60 GB when all weights are trained', () => {
    assertNear(full.memory.totalBytes, 60 * GB, 0.02);
    assert.equal(full.memory.weightBytes, 2 * PARAMETERS);
    assert.equal(full.memory.gradientBytes, 2 * PARAMETERS);
    assert.equal(full.memory.optimizerBytes, 4 * PARAMETERS);
    assertNear(full.memory.activationBytes, 6.3 * GB, 0.02);
  });

  it('takes about 23 GB with LoRA of rank 8 on all linear layers, as PEFT makes it', () => {
    assertNear(lora.memory.totalBytes, 23 * GB, 0.02);
    assert.equal(lora.trainedParameters, 19_988_480);
    assert.equal(lora.memory.weightBytes, 2 * PARAMETERS + 4 * lora.trainedParameters);
    assert.equal(lora.memory.gradientBytes, 4 * lora.trainedParameters);
    assert.equal(lora.memory.optimizerBytes, 8 * lora.trainedParameters);
    assertNear(lora.memory.activationBytes, 9.1 * GB, 0.02);
  });
});

describe('LLaMA2-7B in bf16, AdamW, one sequence of 2048 tokens, checkpointing', () => {
  const { weightBytes, gradientBytes, optimizerBytes, activationBytes } = plan7b({ length: 2048, hasCheckpointing: true }).training.full
    .memory;

  it('takes what GaLore reports of 7 billion parameters: 14 GB of weights, 42 GB of gradients and states, up to 2 GB of activations', () => {
    assertNear(weightBytes, 14 * GB, 0.05);
    assertNear(gradientBytes + optimizerBytes, 42 * GB, 0.05);
    assert.ok(activationBytes > GB && activationBytes < 2 * GB);
  });
});

describe('activations are what autograd saved', () => {
  interface MeasuredCase {
    readonly model: string;
    readonly precision: 'fp32' | 'bf16';
    readonly targets: readonly string[] | null;
    readonly rank: number;
    readonly adapter: NumberFormat;
    readonly checkpointing: boolean;
    readonly batch: number;
    readonly length: number;
    readonly trained: number;
    readonly bytes: number;
  }
  const path = join(resolve(dirname(fileURLToPath(import.meta.url)), '../../../..'), 'test/golden/training/saved-activations.json');
  const { configs, cases } = JSON.parse(readFileSync(path, 'utf8')) as { configs: Record<string, object>; cases: readonly MeasuredCase[] };

  for (const measured of cases) {
    const { model, precision, targets, rank, adapter, checkpointing, batch, length, trained, bytes } = measured;
    const method = targets === null ? 'all weights' : `LoRA on ${targets.join(', ')} in ${adapter}`;
    it(`${model}, ${precision}, ${method}${checkpointing ? ', checkpointing' : ''}`, () => {
      const json = configs[model] ?? {};
      const config = parseDecoderConfig(json);
      const options: StepOptions = { precision, adapterFormat: adapter, batch, length, hasCheckpointing: checkpointing };
      const adapted = targets === null ? undefined : chooseAdaptedModules(config, targets, rank);
      const found = countActivationBytes(config, options, adapted);
      if (adapted !== undefined) assert.equal(countParameters(listFactorTensors(adapted)), trained);
      if (checkpointing) {
        // Measured is what is saved before the way back; a layer computed again comes on top, and the rotary tables, which are no saved tensors then.
        const plain = { ...options, hasCheckpointing: false };
        const layer = countActivationBytes(config, plain) - countActivationBytes({ ...config, layers: config.layers - 1 }, plain);
        return assertNear(found - layer, bytes, 0.02);
      }
      // Where the first modules of the first layer are frozen nothing is saved for them; they are counted, which weighs in models of few layers.
      const isWholeLayer = targets === null || targets.includes('all-linear');
      assertNear(found, bytes, isWholeLayer ? 0.001 : 0.3 / config.layers);
      assert.ok(found >= 0.999 * bytes);
    });
  }
});

describe('precisions and optimizers', () => {
  const statesOf = (changes: Partial<PlanRequest>): number[] => {
    const { full, lora } = plan7b(changes).training;
    return [full.memory.optimizerBytes / PARAMETERS, lora.memory.optimizerBytes / lora.trainedParameters];
  };

  it('mixed precision takes sixteen bytes a trained parameter, as ZeRO counts them', () => {
    const { full, lora } = plan7b({ precision: 'bf16-mixed' }).training;
    const { weightBytes, gradientBytes, optimizerBytes } = full.memory;
    assert.equal(weightBytes + gradientBytes + optimizerBytes, 16 * PARAMETERS);
    assert.equal(lora.memory.totalBytes - lora.memory.activationBytes, 2 * PARAMETERS + 16 * lora.trainedParameters);
    assert.deepEqual(statesOf({ precision: 'fp16-mixed', adapterFormat: 'fp16' }), [12, 12]);
  });

  it('states have the format of what is trained', () => {
    assert.deepEqual(statesOf({ precision: 'fp32' }), [8, 8]);
    assert.deepEqual(statesOf({ precision: 'bf16', adapterFormat: 'bf16' }), [4, 4]);
    assert.deepEqual(statesOf({ optimizer: 'sgd' }), [0, 0]);
    const [full = NaN, lora = NaN] = statesOf({ optimizer: 'adamw-8bit' });
    assertNear(full, 2 + 8 / 256, 0.001);
    assertNear(lora, 2 + 8 / 256, 0.001);
  });

  it('checkpointing keeps a small part, and batch and length multiply', () => {
    const plain = plan7b().training.full.memory.activationBytes;
    assert.ok(plan7b({ hasCheckpointing: true }).training.full.memory.activationBytes < 0.15 * plain);
    assertNear(plan7b({ batch: 4, length: 512 }).training.full.memory.activationBytes, 2 * plain, 0.001);
  });
});

describe('what cannot be planned for', () => {
  const refused = (changes: object, error: object): void => {
    const config = { ...(LLAMA2_7B_CONFIG as object), ...changes };
    assert.throws(() => createPlan(config, createPlanRequest()), error);
  };

  it('a field that changes the mathematics, or that nobody knows, is refused by name', () => {
    refused({ hidden_act: 'gelu' }, { code: 'PLAN_CONFIG_UNSUPPORTED', message: /config\.json, hidden_act: found "gelu"/ });
    refused({ num_experts: 8 }, { code: 'PLAN_CONFIG_UNSUPPORTED', message: /num_experts: is not known here/ });
    refused({ architectures: ['T5ForConditionalGeneration'], model_type: 't5' }, { code: 'PLAN_CONFIG_UNSUPPORTED' });
    refused({ hidden_size: 1.5 }, { code: 'PLAN_CONFIG_UNSUPPORTED', message: /hidden_size: must be an integer/ });
  });

  it('what is no object is refused', () => {
    for (const json of [null, 7, 'llama', []])
      assert.throws(() => createPlan(json, createPlanRequest()), { code: 'PLAN_CONFIG_UNSUPPORTED' });
  });

  it('lengths beyond the context are refused, and the defaults stay below it', () => {
    assert.throws(() => plan7b({ length: 4097 }), { code: 'PLAN_TOO_LONG', message: /training length of 4097 .* is 4096/ });
    assert.throws(() => plan7b({ context: 4097 }), { code: 'PLAN_TOO_LONG', message: /serving context of 4097/ });
    const { choices } = createPlan({ ...(LLAMA2_7B_CONFIG as object), max_position_embeddings: 512 }, createPlanRequest());
    assert.deepEqual([choices.length, choices.context], [512, 512]);
  });
});
