// Golden models on the WebGPU provider, where a GPU or SwiftShader is at hand: PEFT's numbers for the base, every plain adapter and every composition,
// in scoring and in the decode loop. BRAID_TEST_WEBGPU=required makes a missing device a failure.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { GoldenProgram, NamedMixture } from '#test/fixtures/golden-program.js';
import { listGoldenModels, readGoldenAdapter, type GoldenPrompt } from '#test/fixtures/golden.js';
import { generateRows, scoreRows } from '#test/fixtures/graph-session.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { NO_DEVICE, openOnWebGpu } from '#test/fixtures/webgpu-program.js';

for (const model of listGoldenModels()) {
  for (const mode of ['factored', 'merged'] as const) {
    describe(`${model.name} ${mode} on WebGPU agrees with PEFT`, () => {
      let golden: GoldenProgram | undefined;
      before(async () => {
        golden = await openOnWebGpu(model, mode);
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
