// T5 under the golden adapters, factored and merged: PEFT's numbers for scoring and greedy answers, texts of other lengths beside each other.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isSeq2Seq, parseModelConfig } from '#kernels/models/models.js';
import { GoldenProgram, type NamedMixture } from '#test/fixtures/golden-program.js';
import { type GoldenModel, type GoldenPrompt, listGoldenSeq2Seq, readGoldenAdapter } from '#test/fixtures/golden.js';
import { generateRows, int32, int64, scoreRows, type Tensors } from '#test/fixtures/graph-session.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';

const NLL_TOLERANCE = 1e-4;

function createSources(prompts: readonly GoldenPrompt[]): Tensors {
  const width = Math.max(...prompts.map(({ prompt }) => prompt.length));
  const padded = prompts.flatMap(({ prompt }) => [...prompt, ...Array.from({ length: width - prompt.length }, () => 0)]);
  return {
    sourceIds: int64(padded, [prompts.length, width]),
    sourceLengths: int32(
      prompts.map(({ prompt }) => prompt.length),
      [prompts.length],
    ),
  };
}

const models = listGoldenSeq2Seq();

for (const model of models) {
  for (const mode of ['base', 'factored', 'merged'] as const) {
    describe(`${model.name} ${mode} agrees with PEFT`, () => {
      let golden: GoldenProgram;
      const config = parseModelConfig(readModelDirectory(`${model.directory}/model`).config);
      assert.ok(isSeq2Seq(config));
      const { startToken } = config;
      before(async () => {
        golden = await GoldenProgram.open(model, mode);
      });
      after(() => golden.session.release());

      async function assertAgrees(expected: readonly GoldenPrompt[], mixture: NamedMixture): Promise<void> {
        const feeds = { ...golden.feeds(expected.map(() => mixture)), ...createSources(expected) };
        const rows = expected.map(({ target }) => ({ ids: [startToken, ...target], from: 1 }));
        const logprobs = await scoreRows(golden.session, golden.program, rows, feeds);
        const difference = largestDifference(
          logprobs.flat().map((value) => -value),
          expected.flatMap(({ targetNll }) => targetNll),
        );
        assert.ok(difference < NLL_TOLERANCE, `negative log-likelihoods differ by ${difference}`);
        for (const chunk of [8, 3]) {
          const starts = expected.map(() => [startToken]);
          const tokens = await generateRows(golden.session, golden.program, starts, { tokens: 8, chunk, adapterFeeds: feeds });
          assert.deepEqual(
            tokens,
            expected.map(({ greedy }) => greedy),
          );
        }
      }

      if (mode === 'base') it('base', () => assertAgrees(model.base, []));
      else {
        for (const adapter of model.adapters) {
          it(adapter, () => assertAgrees(readGoldenAdapter(model, adapter), [{ adapter, weight: 1 }]));
        }
        for (const { name, parts, expected } of model.compositions) it(`composition ${name}`, () => assertAgrees(expected, parts));
      }
    });
  }
}

it('there is at least one', { skip: models.length === 0 && 'needs BRAID_GOLDEN' }, () => {
  assert.ok(models.some(({ adapters }: GoldenModel) => adapters.length > 0));
});
