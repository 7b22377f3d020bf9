// Golden decoders on CUDA: PEFT's numbers in float32 through the plain attention, and in float16 through the fused one. `npm run test:cuda` runs it.
import { after, before, describe, it } from 'node:test';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import { assertAgrees, listGoldenCases } from '#test/fixtures/golden-agreement.js';
import { GoldenProgram } from '#test/fixtures/golden-program.js';
import { listGoldenModels } from '#test/fixtures/golden.js';

for (const model of listGoldenModels()) {
  for (const precision of ['float32', 'float16'] as const) {
    for (const mode of ['factored', 'merged'] as const) {
      describe(`${model.name} ${mode} in ${precision} on CUDA agrees with PEFT`, () => {
        let golden: GoldenProgram;
        before(async () => {
          golden = await GoldenProgram.open(model, mode, LINEAR_CLASSES, 'cuda', precision);
        });
        after(() => golden.session.release());

        for (const one of listGoldenCases(model)) it(one.name, () => assertAgrees(golden, one));
      });
    }
  }
}
