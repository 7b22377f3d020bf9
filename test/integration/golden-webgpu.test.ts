// Golden models on the WebGPU provider, where a GPU or SwiftShader is at hand: PEFT's numbers for the base, every plain adapter and every composition,
// in scoring and in the decode loop. BRAID_TEST_WEBGPU=required makes a missing device a failure.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import { GoldenProgram, type NamedMixture } from '#test/fixtures/golden-program.js';
import { listGoldenModels, readGoldenAdapter, type GoldenModel, type GoldenPrompt } from '#test/fixtures/golden.js';
import { generateRows, scoreRows } from '#test/fixtures/graph-session.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';

const NO_DEVICE = 'no WebGPU device: needs a GPU, or SwiftShader (bash .ci/swiftshader.sh node --test …, on Debian)';

/** Opens a program on WebGPU; undefined where this machine has no device for it. */
async function openOnDevice(model: GoldenModel, mode: 'factored' | 'merged'): Promise<GoldenProgram | undefined> {
  try {
    return await GoldenProgram.open(model, mode, LINEAR_CLASSES, 'webgpu');
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('WebGPU adapter'))) throw error;
    if (process.env['BRAID_TEST_WEBGPU'] === 'required') throw new Error(NO_DEVICE, { cause: error });
    return undefined;
  }
}

for (const model of listGoldenModels()) {
  for (const mode of ['factored', 'merged'] as const) {
    describe(`${model.name} ${mode} on WebGPU agrees with PEFT`, () => {
      let golden: GoldenProgram | undefined;
      before(async () => {
        golden = await openOnDevice(model, mode);
      });
      after(() => golden?.session.release());

      const cases: readonly (readonly [name: string, mixture: NamedMixture, expected: () => readonly GoldenPrompt[]])[] = [
        ['base', [], () => model.base],
        ...model.adapters.map((adapter) => [adapter, [{ adapter, weight: 1 }], () => readGoldenAdapter(model, adapter)] as const),
        ...model.compositions.map(({ name, parts, expected }) => [`composition ${name}`, parts, () => expected] as const),
      ];
      for (const [name, mixture, read] of cases) {
        it(name, async (context) => {
          if (!golden) {
            context.skip(NO_DEVICE);
            return;
          }
          const expected = read();
          const prompts = expected.map(({ prompt }) => prompt);
          const adapterFeeds = golden.feeds(prompts.map(() => mixture));
          const rows = expected.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length }));
          const logprobs = await scoreRows(golden.session, golden.program, rows, adapterFeeds);
          const difference = largestDifference(
            logprobs.flat().map((value) => -value),
            expected.flatMap(({ targetNll }) => targetNll),
          );
          assert.ok(difference < 1e-4, `negative log-likelihoods differ by ${difference}`);
          const tokens = await generateRows(golden.session, golden.program, prompts, { tokens: 8, chunk: 8, adapterFeeds });
          assert.deepEqual(
            tokens,
            expected.map(({ greedy }) => greedy),
          );
        });
      }
    });
  }
}
