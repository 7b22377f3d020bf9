// Penalties, biases, bans and min-p through the engine: a row's tokens are its own in any batch and run, and they are what the fields say.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { GeneratedToken, GenerateRequest, Sampling } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { listGoldenModels, listGoldenSeq2Seq } from '#test/fixtures/golden.js';
import { referenceAdjust } from '#test/reference/sampling.js';

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
const SAMPLED: Sampling = { temperature: 1.3, topK: 0, topP: 1, seed: 3 };
const PROMPT = [5, 9, 200, 31, 7, 7, 90];

const REQUESTS: readonly Partial<GenerateRequest>[] = [
  {},
  { sampling: SAMPLED },
  { sampling: { ...GREEDY, repetitionPenalty: 1.4 } },
  { sampling: { ...GREEDY, frequencyPenalty: 0.6, presencePenalty: 0.3 } },
  { sampling: { ...SAMPLED, repetitionPenalty: 1.4, frequencyPenalty: 1, minP: 0.05, topP: 0.9 } },
  { sampling: { ...GREEDY, allowedTokens: [3, 4, 5, 6, 250], presencePenalty: 2 } },
  { sampling: { ...SAMPLED, logitBias: new Map([[12, 5], [9, -100]]) }, stopTokens: [12], minTokens: 20 }, // prettier-ignore
  { sampling: { ...SAMPLED, minP: 0.3, topK: 9 } },
];

for (const model of [...listGoldenModels().filter(({ name }) => name === 'llama'), ...listGoldenSeq2Seq()]) {
  describe(`an engine over ${model.name} that adjusts logits`, () => {
    const directory = join(model.directory, 'model');
    let engine: ModelEngine;
    before(async () => {
      engine = await openTestEngine(directory, new DirectoryAdapters(directory));
    });
    after(() => engine.close());

    async function generate(options: Partial<GenerateRequest>): Promise<GeneratedToken[]> {
      const request = { ids: PROMPT, mixture: [], maxTokens: 40, stopTokens: [], sampling: GREEDY, topLogprobs: 0, stream: false };
      const tokens: GeneratedToken[] = [];
      for await (const token of engine.generate({ ...request, ...options })) tokens.push(token);
      return tokens;
    }
    const idsOf = (tokens: readonly GeneratedToken[]): number[] => tokens.map(({ id }) => id);

    test('each row has the same tokens alone, in a batch, and streamed in runs of other lengths', async () => {
      const together = await Promise.all(REQUESTS.map(generate));
      for (const [i, request] of REQUESTS.entries()) {
        assert.deepEqual(idsOf(await generate(request)), idsOf(together[i] ?? []), `request ${i} alone`);
        assert.deepEqual(idsOf(await generate({ ...request, stream: true })), idsOf(together[i] ?? []), `request ${i} streamed`);
      }
      const answers = together.map((tokens) => idsOf(tokens).join());
      assert.equal(new Set(answers).size, answers.length, 'every request bends the answer in a way of its own');
    });

    test('every greedy token is the likeliest after the penalties, and the log-probabilities are the model’s own', async () => {
      const how = { frequency: 1.1, presence: 0.4 };
      const sampling = { ...GREEDY, frequencyPenalty: how.frequency, presencePenalty: how.presence };
      const tokens = await generate({ sampling, topLogprobs: 20 });
      const answer: number[] = [];
      for (const [i, { id, logprob, top }] of tokens.entries()) {
        const logits = Array.from({ length: engine.vocabularySize }, () => -1e9);
        for (const [place, listed] of (top?.ids ?? []).entries()) logits[listed] = top?.logprobs[place] ?? NaN;
        const adjusted = referenceAdjust(logits, answer, how);
        assert.ok(Math.max(...adjusted) - (adjusted[id] ?? -Infinity) < 1e-4, `token ${i}: ${id}`);
        assert.equal(logprob, logits[id]);
        answer.push(id);
      }
      assert.ok(new Set(answer).size > new Set(idsOf(await generate({}))).size);
    });

    test('a stop token comes at once where it is forced, and not before the fewest tokens are there', async () => {
      const forced = { stopTokens: [77], sampling: { ...GREEDY, logitBias: new Map([[77, 100]]) } };
      assert.deepEqual(idsOf(await generate(forced)), [77]);
      for (const minTokens of [1, 6, 23]) {
        const tokens = await generate({ ...forced, minTokens });
        assert.deepEqual([tokens.length, tokens.at(-1)?.id, tokens.at(-1)?.finish], [minTokens + 1, 77, 'stop']);
      }
      const whole = await generate({ ...forced, minTokens: 40 });
      assert.deepEqual([whole.length, whole.at(-1)?.finish], [40, 'length']);
    });

    test('bans hold, and only allowed tokens come', async () => {
      const [first = assert.fail()] = idsOf(await generate({}));
      const banned = idsOf(await generate({ sampling: { ...GREEDY, logitBias: new Map([[first, -100]]) } }));
      assert.ok(!banned.includes(first));
      const allowed = [3, 4, 250];
      const some = idsOf(await generate({ sampling: { ...SAMPLED, temperature: 5, allowedTokens: allowed } }));
      assert.deepEqual(new Set(some), new Set(allowed));
    });

    test('min-p of 1 leaves the likeliest', async () => {
      assert.deepEqual(idsOf(await generate({ sampling: { ...SAMPLED, minP: 1 } })), idsOf(await generate({})));
    });
  });
}
