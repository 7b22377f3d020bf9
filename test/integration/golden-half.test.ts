// Golden decoders in float16: the base and an adapter of every family on the CPU, of two on WebGPU, where a device has halves (SwiftShader has none).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import { buildStepProgram, parseModelConfig } from '#kernels/models/models.js';
import { assertAgrees, listGoldenCases, type GoldenCase } from '#test/fixtures/golden-agreement.js';
import { GoldenProgram } from '#test/fixtures/golden-program.js';
import { listGoldenModels, listGoldenSeq2Seq, type GoldenModel } from '#test/fixtures/golden.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';
import { NO_DEVICE, openOnWebGpu } from '#test/fixtures/webgpu-program.js';

const MODES = ['factored', 'merged'] as const;
const ON_WEBGPU = ['llama', 'qwen3'];
const NO_HALVES = 'the WebGPU device has no shader-f16, as SwiftShader has none';

/** The base and an adapter. */
const listCases = (model: GoldenModel): GoldenCase[] => listGoldenCases(model).slice(0, 2);

for (const model of listGoldenModels()) {
  for (const mode of MODES) {
    describe(`${model.name} ${mode} in float16 agrees with PEFT`, () => {
      let golden: GoldenProgram;
      before(async () => {
        golden = await GoldenProgram.open(model, mode, LINEAR_CLASSES, 'cpu', 'float16');
      });
      after(() => golden.session.release());

      for (const one of listCases(model)) it(one.name, () => assertAgrees(golden, one));
    });
  }
}

for (const model of listGoldenModels().filter(({ name }) => ON_WEBGPU.includes(name))) {
  for (const mode of MODES) {
    describe(`${model.name} ${mode} in float16 on WebGPU agrees with PEFT`, () => {
      let golden: GoldenProgram | undefined;
      before(async () => {
        golden = await openOnWebGpu(model, mode, 'float16');
      });
      after(() => golden?.session.release());

      for (const one of listCases(model)) {
        it(one.name, async (context) => {
          if (!golden) {
            context.skip(NO_DEVICE);
            return;
          }
          try {
            await assertAgrees(golden, one);
          } catch (error) {
            if (!(error instanceof Error && error.message.includes('requires f16 but the device does not support it'))) throw error;
            context.skip(NO_HALVES);
          }
        });
      }
    });
  }
}

it('T5 in float16 is refused by name', () => {
  const [model] = listGoldenSeq2Seq();
  assert.ok(model);
  const { config, tensors } = readModelDirectory(join(model.directory, 'model'));
  const options = { config: parseModelConfig(config), tensors, mode: 'base', classes: [], provider: 'cpu', precision: 'float16' } as const;
  assert.throws(() => buildStepProgram(options), /float16 does not go with t5/);
});
