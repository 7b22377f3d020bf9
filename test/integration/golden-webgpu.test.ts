// Golden models on the WebGPU provider, where a GPU or SwiftShader is at hand: PEFT's numbers for the base, every plain adapter and every composition,
// in scoring and in the decode loop. BRAID_TEST_WEBGPU=required makes a missing device a failure.
import { after, before, describe, it } from 'node:test';
import { assertAgrees, listGoldenCases } from '#test/fixtures/golden-agreement.js';
import type { GoldenProgram } from '#test/fixtures/golden-program.js';
import { listGoldenModels } from '#test/fixtures/golden.js';
import { NO_DEVICE, openOnWebGpu } from '#test/fixtures/webgpu-program.js';

for (const model of listGoldenModels()) {
  for (const mode of ['factored', 'merged'] as const) {
    describe(`${model.name} ${mode} on WebGPU agrees with PEFT`, () => {
      let golden: GoldenProgram | undefined;
      before(async () => {
        golden = await openOnWebGpu(model, mode);
      });
      after(() => golden?.session.release());

      for (const one of listGoldenCases(model)) {
        it(one.name, async (context) => {
          if (!golden) {
            context.skip(NO_DEVICE);
            return;
          }
          await assertAgrees(golden, one);
        });
      }
    });
  }
}
