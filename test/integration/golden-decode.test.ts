// The in-graph decode loop on golden models: many steps in one run are many runs of one step, rows do not see each other, and the loop ends in time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GoldenProgram, type NamedMixture } from '#test/fixtures/golden-program.js';
import { listGoldenModels, readGoldenAdapter, type GoldenModel } from '#test/fixtures/golden.js';
import {
  bool,
  carryCaches,
  generateRows,
  GREEDY,
  int32,
  int64,
  numbersOf,
  promptFeeds,
  samplingFeeds,
  stepDefaults,
  type RowSampling,
  type Tensors,
} from '#test/fixtures/graph-session.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';

const TOKENS = 9;
const PROMPTS = [[5, 9, 200, 31, 7, 7, 90], [12, 13], [100, 3, 250, 251, 4, 18, 77, 61, 2, 9, 140], [44], [86, 171, 181, 95, 179]];

/** One composition per prompt: the base, single adapters, mixtures of different ranks and targets. */
function createMixtures({ adapters }: GoldenModel): NamedMixture[] {
  const [first = '', second = first] = adapters;
  const last = adapters.at(-1) ?? '';
  return [
    [],
    [{ adapter: first, weight: 1 }],
    [{ adapter: second, weight: -0.7 }],
    [
      { adapter: last, weight: 0.4 },
      { adapter: first, weight: 0.9 },
    ],
    adapters.map((adapter, i) => ({ adapter, weight: 0.3 * i - 0.4 })),
  ];
}

for (const model of listGoldenModels()) {
  describe(`decode ${model.name}`, () => {
    let golden: GoldenProgram;
    const mixtures = createMixtures(model);

    before(async () => {
      golden = await GoldenProgram.open(model, 'factored');
    });
    after(async () => {
      await golden.session.release();
    });

    const generate = (
      chunk: number,
      rows: readonly number[],
      draw?: { sampling: readonly RowSampling[]; uniforms: readonly (readonly number[])[] },
    ) =>
      generateRows(
        golden.session,
        golden.program,
        rows.map((row) => PROMPTS[row] ?? []),
        {
          tokens: TOKENS,
          chunk,
          adapterFeeds: golden.feeds(rows.map((row) => mixtures[row] ?? [])),
          ...(draw
            ? {
                sampling: rows.map((row) => draw.sampling[row] ?? GREEDY),
                uniforms: draw.uniforms.map((step) => rows.map((row) => step[row] ?? 0)),
              }
            : {}),
        },
      );
    const allRows = PROMPTS.map((_, row) => row);

    test('one loop of eight, eight runs of one, and each row alone give the same tokens under different compositions', async () => {
      const together = await generate(8, allRows);
      assert.deepEqual(await generate(1, allRows), together);
      for (const row of allRows) assert.deepEqual(await generate(3, [row]), [together[row]]);
    });

    test('sampled rows draw the same alone as beside greedy and limited ones', async () => {
      const random = createRandomTensors(17);
      const sampling: RowSampling[] = [
        { temperature: 1, topK: 0, topP: 1 },
        GREEDY,
        { temperature: 1.4, topK: 20, topP: 1 },
        { temperature: 0.8, topK: 0, topP: 0.9 },
        { temperature: 1.2, topK: 50, topP: 0.7 },
      ];
      const uniforms = Array.from({ length: TOKENS }, () => allRows.map(() => random.uniform()));
      const together = await generate(8, allRows, { sampling, uniforms });
      assert.deepEqual(await generate(2, allRows, { sampling, uniforms }), together);
      for (const row of allRows) assert.deepEqual(await generate(8, [row], { sampling, uniforms }), [together[row]]);
      assert.deepEqual(together[1], (await generate(8, [1]))[0]);
      assert.notDeepEqual(together[0], (await generate(8, [0]))[0]);
    });

    const prefill = (rows: readonly number[], extra: Tensors = {}): Promise<Tensors> => {
      const prompts = rows.map((row) => PROMPTS[row] ?? []);
      return golden.session.run({
        ...promptFeeds(golden.program, prompts),
        ...golden.feeds(rows.map((row) => mixtures[row] ?? [])),
        positions: int64(prompts.flatMap((prompt, row) => [row, prompt.length - 1]), [rows.length, 2]), // prettier-ignore
        targets: int64(rows.map(() => -1), [rows.length]), // prettier-ignore
        ...extra,
      });
    };

    /** Feeds for `steps` more tokens after a prefill of all rows. */
    const decodeFeeds = (outputs: Tensors, steps: number): Tensors => ({
      ...stepDefaults(allRows.length),
      ...golden.feeds(mixtures),
      ...carryCaches(golden.program, outputs),
      ids: int64(numbersOf(outputs['tokens']).slice(-allRows.length), [allRows.length, 1]),
      lengths: int32(allRows.map(() => 1), [allRows.length]), // prettier-ignore
      pastLengths: int32(PROMPTS.map(({ length }) => length), [allRows.length]), // prettier-ignore
      positions: int64(allRows.flatMap((row) => [row, 0]), [allRows.length, 2]), // prettier-ignore
      targets: int64(allRows.map(() => -1), [allRows.length]), // prettier-ignore
      steps: int64([steps], []),
      ...samplingFeeds(allRows.map(() => GREEDY), Array.from({ length: steps }, () => allRows.map(() => 0))), // prettier-ignore
    });

    test('prompt and answer in one run of the loop are prefill and decode', async () => {
      const outputs = await prefill(allRows, {
        steps: int64([TOKENS], []),
        ...samplingFeeds(
          allRows.map(() => GREEDY),
          Array.from({ length: TOKENS }, () => allRows.map(() => 0)),
        ),
      });
      const tokens = numbersOf(outputs['tokens']);
      assert.deepEqual(
        allRows.map((row) => tokens.filter((_, i) => i % allRows.length === row)),
        await generate(8, allRows),
      );
    });

    test('a stop token ends its row, and the last one the loop; rows that go on are not disturbed', async () => {
      const free = await generate(8, allRows);
      const first = await prefill(allRows);
      const stopAt = allRows.map((row) => Math.min(row, 3));
      // A row's stop token may turn up earlier than planned: the first occurrence counts.
      const stops = allRows.map((row) => free[row]?.[1 + (stopAt[row] ?? 0)] ?? -1);
      const endings = allRows.map((row) => free[row]?.slice(1).indexOf(stops[row] ?? NaN) ?? NaN);
      const outputs = await golden.session.run({
        ...decodeFeeds(first, 8),
        stopTokens: int64(stops.flatMap((stop) => [-1, stop]), [allRows.length, 2]), // prettier-ignore
      });
      const [stepsDone, columns] = outputs['tokens']?.dims ?? [];
      assert.equal(stepsDone, Math.max(...endings) + 1);
      assert.equal(columns, allRows.length);
      const tokens = numbersOf(outputs['tokens']);
      for (const row of allRows) {
        const ofRow = tokens.filter((_, i) => i % allRows.length === row).slice(0, (endings[row] ?? 0) + 1);
        assert.deepEqual(ofRow, free[row]?.slice(1, 2 + (endings[row] ?? 0)));
      }
      assert.deepEqual(numbersOf(outputs['doneOut']), allRows.map(() => 1)); // prettier-ignore
    });

    test('a row that comes in done stands still while the others go on', async () => {
      const free = await generate(8, allRows);
      const first = await prefill(allRows);
      const outputs = await golden.session.run({ ...decodeFeeds(first, 8), done: bool(allRows.map((row) => row === 2), [allRows.length]) }); // prettier-ignore
      const tokens = numbersOf(outputs['tokens']);
      for (const row of allRows.filter((other) => other !== 2)) {
        assert.deepEqual(
          tokens.filter((_, i) => i % allRows.length === row),
          free[row]?.slice(1),
        );
      }
      // Row 2 has the longest prompt. Had it gone on, the cache would be 8 longer than it; standing still, it needs one place.
      const longest = Math.max(...PROMPTS.map(({ length }, row) => length + (row === 2 ? 1 : 8)));
      assert.equal(outputs['key.0']?.dims[2], longest);
    });

    test('reports log-probabilities of the chosen tokens and the most likely ones', async () => {
      const first = await prefill(allRows);
      const outputs = await golden.session.run({ ...decodeFeeds(first, 4), topLogprobs: int64([3], []) });
      assert.deepEqual(outputs['topIds']?.dims, [4, allRows.length, 3]);
      const [tokens, logprobs] = [numbersOf(outputs['tokens']), numbersOf(outputs['logprobs'])];
      const [topIds, topValues] = [numbersOf(outputs['topIds']), numbersOf(outputs['topValues'])];
      assert.deepEqual(tokens, topIds.filter((_, i) => i % 3 === 0)); // prettier-ignore
      assert.deepEqual(logprobs, topValues.filter((_, i) => i % 3 === 0)); // prettier-ignore
      // The same tokens scored as a given text.
      const generated = await generate(8, allRows);
      const rows = allRows.map((row) => [...(PROMPTS[row] ?? []), ...(generated[row]?.slice(0, 5) ?? [])]);
      const scored = await golden.session.run({
        ...promptFeeds(golden.program, rows),
        ...golden.feeds(mixtures),
        positions: int64(rows.flatMap((ids, row) => [0, 1, 2, 3].flatMap((i) => [row, ids.length - 5 + i])), [rows.length * 4, 2]), // prettier-ignore
        targets: int64(rows.flatMap((ids) => ids.slice(-4)), [rows.length * 4]), // prettier-ignore
      });
      const byRow = allRows.flatMap((row) => logprobs.filter((_, i) => i % allRows.length === row));
      assert.ok(largestDifference(byRow, numbersOf(scored['logprobs'])) < 2e-5);
    });
  });

  const adapter = model.adapters.find((name) => name.includes('-qv'));
  if (adapter === undefined) continue;
  describe(`decode ${model.name}, classes of one adapter`, () => {
    test('a program with only the classes in use agrees with PEFT', async () => {
      const golden = await GoldenProgram.open({ ...model, adapters: [adapter] }, 'factored', ['v_proj', 'q_proj']);
      assert.deepEqual(golden.program.classes, ['q_proj', 'v_proj']);
      const expected = readGoldenAdapter(model, adapter);
      const prompts = expected.map(({ prompt }) => prompt);
      const adapterFeeds = golden.feeds(prompts.map(() => [{ adapter, weight: 1 }]));
      const tokens = await generateRows(golden.session, golden.program, prompts, { tokens: 8, chunk: 8, adapterFeeds });
      await golden.session.release();
      assert.deepEqual(tokens, expected.map(({ greedy }) => greedy)); // prettier-ignore
    });
  });
}
