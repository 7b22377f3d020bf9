// Every golden decoder, adapter and composition: log-likelihoods, logits and greedy tokens as PEFT has them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { StepMode } from '#kernels/decode/step-program.js';
import { GoldenProgram, type NamedMixture } from '#test/fixtures/golden-program.js';
import { listGoldenModels, readGoldenAdapter, type GoldenModel, type GoldenPrompt } from '#test/fixtures/golden.js';
import { generateRows, int64, numbersOf, promptFeeds, scoreRows } from '#test/fixtures/graph-session.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { referenceLogSoftmax } from '#test/reference/decoder.js';

/** fp32 agreement to expect of the golden numbers. */
const NLL_TOLERANCE = 1e-4;
const LOGIT_TOLERANCE = 1e-3;
/** Two ways through our own graphs agree more closely. */
const SAME_TOLERANCE = 2e-5;

const models = listGoldenModels();

test('there are golden models, and adapters and compositions of them', () => {
  assert.ok(models.length >= 2);
  assert.ok(models.every(({ adapters }) => adapters.length >= 1));
  assert.ok(models.some(({ compositions }) => compositions.length >= 2));
});

for (const model of models) {
  describe(`golden ${model.name}`, () => {
    checkBase(model);
    for (const mode of ['factored', 'merged'] as const) checkAdapters(model, mode);
    checkFactoredEqualsMerged(model);
  });
}

function useProgram(model: GoldenModel, mode: StepMode): () => GoldenProgram {
  let program: GoldenProgram | undefined;
  before(async () => {
    program = await GoldenProgram.open(model, mode);
  });
  after(async () => {
    await program?.session.release();
  });
  return () => {
    assert.ok(program);
    return program;
  };
}

function checkBase(model: GoldenModel): void {
  describe('base', () => {
    const open = useProgram(model, 'base');

    test('agrees with PyTorch', async () => {
      await assertAgrees(open(), [], model.base);
    });

    test('a ragged batch scores as its rows alone', async () => {
      await assertRaggedEqualsSingle(open(), []);
    });
  });
}

function checkAdapters(model: GoldenModel, mode: 'factored' | 'merged'): void {
  describe(mode, () => {
    const open = useProgram(model, mode);

    for (const adapter of model.adapters) {
      test(`${adapter} agrees with PEFT`, async () => {
        await assertAgrees(open(), [{ adapter, weight: 1 }], readGoldenAdapter(model, adapter));
      });
    }

    for (const { name, parts, expected } of model.compositions) {
      test(`composition ${name} agrees with PEFT`, async () => {
        await assertAgrees(open(), parts, expected);
      });
    }

    test('weight 0 is the base', async () => {
      await assertAgrees(
        open(),
        model.adapters.map((adapter) => ({ adapter, weight: 0 })),
        model.base,
      );
    });

    test('no adapters are the base', async () => {
      await assertAgrees(open(), [], model.base);
    });

    test('order does not matter', async () => {
      const mixture = model.adapters.map((adapter, i) => ({ adapter, weight: 0.2 * i - 0.3 }));
      const program = open();
      const [forwards, backwards] = [await score(program, mixture, model.base), await score(program, mixture.toReversed(), model.base)];
      assert.ok(largestDifference(forwards.flat(), backwards.flat()) < SAME_TOLERANCE);
    });

    test('a ragged batch scores as its rows alone', async () => {
      await assertRaggedEqualsSingle(
        open(),
        model.adapters.slice(0, 2).map((adapter, i) => ({ adapter, weight: 0.9 - i })),
      );
    });
  });
}

function checkFactoredEqualsMerged(model: GoldenModel): void {
  describe('factored and merged', () => {
    const [openFactored, openMerged] = [useProgram(model, 'factored'), useProgram(model, 'merged')];

    test('agree on mixtures that PEFT was not asked about', async () => {
      const [factored, merged] = [openFactored(), openMerged()];
      for (const shift of [-0.5, 0.25]) {
        const mixture = model.adapters.map((adapter, i) => ({ adapter, weight: ((i % 3) - 1) * 0.4 + shift / 4 }));
        const [left, right] = [await score(factored, mixture, model.base), await score(merged, mixture, model.base)];
        assert.ok(largestDifference(left.flat(), right.flat()) < SAME_TOLERANCE);
      }
    });
  });
}

function toRow({ prompt, target }: GoldenPrompt): { ids: number[]; from: number } {
  return { ids: [...prompt, ...target], from: prompt.length };
}

function score(program: GoldenProgram, mixture: NamedMixture, prompts: readonly GoldenPrompt[]): Promise<number[][]> {
  return scoreRows(program.session, program.program, prompts.map(toRow), program.feeds(prompts.map(() => mixture)));
}

async function assertAgrees(program: GoldenProgram, mixture: NamedMixture, expected: readonly GoldenPrompt[]): Promise<void> {
  const logprobs = await score(program, mixture, expected);
  const nll = logprobs.flat().map((value) => -value);
  const difference = largestDifference(
    nll,
    expected.flatMap(({ targetNll }) => targetNll),
  );
  assert.ok(difference < NLL_TOLERANCE, `negative log-likelihoods differ by ${difference}`);

  for (const { prompt, lastPromptLogits } of expected) {
    const found = await logProbabilitiesAfter(program, mixture, prompt);
    const logitDifference = largestDifference(found, referenceLogSoftmax(lastPromptLogits));
    assert.ok(logitDifference < LOGIT_TOLERANCE, `logits differ by ${logitDifference}`);
  }

  const prompts = expected.map(({ prompt }) => prompt);
  const tokens = await generateRows(program.session, program.program, prompts, {
    tokens: 8,
    chunk: 8,
    adapterFeeds: program.feeds(prompts.map(() => mixture)),
  });
  assert.deepEqual(
    tokens,
    expected.map(({ greedy }) => greedy),
  );
}

/** ln p over the whole vocabulary after a prompt, from `topLogprobs` = V: the logits but for a constant. */
async function logProbabilitiesAfter(golden: GoldenProgram, mixture: NamedMixture, prompt: readonly number[]): Promise<number[]> {
  const { program, session } = golden;
  const outputs = await session.run({
    ...promptFeeds(program, [prompt]),
    ...golden.feeds([mixture]),
    positions: int64([0, prompt.length - 1], [1, 2]),
    targets: int64([-1], [1]),
    topLogprobs: int64([program.vocabularySize], []),
  });
  const [ids, values] = [numbersOf(outputs['topIds']), numbersOf(outputs['topValues'])];
  const byToken: number[] = [];
  for (const [i, id] of ids.entries()) byToken[id] = values[i] ?? NaN;
  return byToken;
}

async function assertRaggedEqualsSingle(program: GoldenProgram, mixture: NamedMixture): Promise<void> {
  const prompts = [[5, 9, 200, 31, 7, 7, 90], [12, 13], [100, 3, 250, 251, 4, 18, 77, 61, 2, 9, 140], [44]];
  const rows = prompts.map((prompt, i) => ({ ids: [...prompt, 60 + i, 8, 33], from: prompt.length }));
  const together = await scoreRows(program.session, program.program, rows, program.feeds(rows.map(() => mixture)));
  for (const [i, row] of rows.entries()) {
    const [alone] = await scoreRows(program.session, program.program, [row], program.feeds([mixture]));
    assert.ok(largestDifference(together[i] ?? [], alone ?? []) < SAME_TOLERANCE, `row ${i}`);
  }
}
