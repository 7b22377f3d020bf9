// An engine over T5: golden numbers for scores, answers and factor space, alone and beside others, several answers to one text, means of hidden states.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createFactorMixture } from '#src/runtime/factor-mixture.js';
import type { Mixture } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { type GoldenPrompt, listGoldenSeq2Seq, readGoldenAdapter } from '#test/fixtures/golden.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { rankCorrelation } from '#test/fixtures/rank-correlation.js';

const TOLERANCE = 1e-4;

for (const model of listGoldenSeq2Seq()) {
  describe(`an engine over ${model.name}`, () => {
    const directory = join(model.directory, 'model');
    const adapters = new DirectoryAdapters(directory);
    const digests = new Map(model.adapters.map((name) => [name, adapters.add(join(model.directory, 'adapters', name))]));
    const mixtureOf = (parts: readonly { adapter: string; weight: number }[]): Mixture =>
      parts.map(({ adapter, weight }) => ({ digest: digests.get(adapter) ?? assert.fail(adapter), weight }));
    const cases: readonly (readonly [name: string, mixture: Mixture, expected: readonly GoldenPrompt[]])[] = [
      ['base', [], model.base],
      ...model.adapters.map((adapter) => [adapter, mixtureOf([{ adapter, weight: 1 }]), readGoldenAdapter(model, adapter)] as const),
      ...model.compositions.map(({ name, parts, expected }) => [name, mixtureOf(parts), expected] as const),
      ...model.factorCompositions.map(({ name, parts, expected }) => [name, createFactorMixture(mixtureOf(parts)), expected] as const),
    ];
    const rows = cases.flatMap(([, mixture, expected]) =>
      expected.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length, mixture })),
    );
    let engine: ModelEngine;
    before(async () => {
      engine = await openTestEngine(directory, adapters);
    });
    after(() => engine.close());

    const answer = async (prompt: readonly number[], mixture: Mixture, maxTokens: number, stream = false): Promise<number[]> => {
      const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
      const ids: number[] = [];
      const request = { ids: prompt, mixture, maxTokens, stopTokens: [], sampling, topLogprobs: 0, stream };
      for await (const { id } of engine.generate(request)) ids.push(id);
      return ids;
    };

    it('scores everything in one call, and each row alone, as PEFT', async () => {
      const expected = cases.flatMap(([, , prompts]) => prompts.map(({ targetNll }) => targetNll));
      const together = await engine.score(rows);
      for (const [i, row] of rows.entries()) {
        const [alone] = await engine.score([row]);
        for (const { logprobs } of [together[i], alone].flatMap((found) => found ?? [])) {
          const difference = largestDifference(
            Array.from(logprobs, (value) => -value),
            expected[i] ?? [],
          );
          assert.ok(difference < TOLERANCE, `row ${i} differs by ${difference}`);
        }
      }
    });

    it('merged, as PEFT', async () => {
      for (const [name, mixture, prompts] of cases) {
        const own = prompts.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length, mixture }));
        const scored = await engine.score(own, { application: 'merged' });
        const difference = largestDifference(
          scored.flatMap(({ logprobs }) => Array.from(logprobs, (value) => -value)),
          prompts.flatMap(({ targetNll }) => targetNll),
        );
        assert.ok(difference < TOLERANCE, `${name} differs by ${difference}`);
      }
    });

    it('int8 ranks as float32', async () => {
      const [exact, fast] = [await engine.score(rows), await engine.score(rows, { precision: 'estimate' })];
      const losses = (results: typeof exact): number[] => results.map(({ logprobs }) => -logprobs.reduce((sum, value) => sum + value, 0));
      assert.ok(largestDifference(losses(exact), losses(fast)) > 0, 'it is another precision');
      const correlation = rankCorrelation(losses(exact), losses(fast));
      assert.ok(correlation > 0.95, `rank correlation ${correlation}`);
    });

    it('several answers to one text share its encoding, and give what each gives alone', async () => {
      const [first] = model.base;
      assert.ok(first);
      const { prompt } = first;
      const [, mixture = []] = cases[1] ?? [];
      const answers = [first.target, [...first.target, 9], [5, 6], [5, 7, 8, 9, 10]];
      const own = answers.map((target) => ({ ids: [...prompt, ...target], from: prompt.length, mixture }));
      const together = await engine.score(own);
      for (const [i, row] of own.entries()) {
        const [alone] = await engine.score([row]);
        assert.ok(largestDifference([...(together[i]?.logprobs ?? [])], [...(alone?.logprobs ?? [])]) < 1e-5);
      }
    });

    it('answers side by side under all mixtures, streamed or not, are the golden ones', async () => {
      const wanted = cases.flatMap(([, mixture, prompts]) => prompts.map(({ prompt, greedy }) => ({ prompt, mixture, greedy })));
      for (const isStreamed of [false, true]) {
        const found = await Promise.all(wanted.map(({ prompt, mixture, greedy }) => answer(prompt, mixture, greedy.length, isStreamed)));
        assert.deepEqual(
          found,
          wanted.map(({ greedy }) => greedy),
        );
      }
    });

    it('an answer longer than a run is scored as it was generated', async () => {
      const [{ prompt } = { prompt: [] }] = model.base;
      const [, mixture = []] = cases[1] ?? [];
      const ids = await answer(prompt, mixture, 40);
      const [scored] = await engine.score([{ ids: [...prompt, ...ids], from: prompt.length, mixture }], { topLogprobs: 1 });
      assert.deepEqual(
        scored?.top.map((top) => top.ids[0]),
        ids,
      );
    });

    it('means of hidden states are of the answer, and depend on the text', async () => {
      const target = [11, 12, 13];
      const embed = async (prompt: readonly number[]) => {
        const [mean] = await engine.embed([{ ids: [...prompt, ...target], from: prompt.length, mixture: [] }]);
        assert.equal(mean?.length, engine.hiddenSize);
        return [...(mean ?? [])];
      };
      assert.ok(largestDifference(await embed([1, 2, 3]), await embed([1, 2, 4])) > 1e-4);
      const [whole] = await engine.embed([{ ids: target, from: 0, mixture: [] }]);
      assert.ok(whole?.every(Number.isFinite));
      const [single] = await engine.embed([{ ids: [7], from: 0, mixture: [] }]);
      assert.ok(single?.every(Number.isFinite));
    });
  });
}
