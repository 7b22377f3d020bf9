// The engine on real ONNX Runtime sessions, against PEFT's numbers: scores, tokens in any batch, adapters coming and going, merged = factored.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Digest } from '#src/ids/ids.js';
import type { GeneratedToken, GenerateRequest, Mixture } from '#src/runtime/engine.js';
import { createFactorMixture } from '#src/runtime/factor-mixture.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { listGoldenModels, readGoldenAdapter, type GoldenModel, type GoldenPrompt } from '#test/fixtures/golden.js';

// As the golden set's README says.
const NLL_TOLERANCE = 1e-4;
const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0 };

interface Case {
  readonly name: string;
  readonly mixture: Mixture;
  readonly expected: readonly GoldenPrompt[];
}

/** A golden model's adapters, and what PEFT says of the base, of each adapter and of each composition. */
class GoldenBed {
  readonly modelDirectory: string;
  readonly adapters: DirectoryAdapters;
  readonly cases: readonly Case[];
  private readonly digests: ReadonlyMap<string, Digest>;

  constructor(readonly model: GoldenModel) {
    this.modelDirectory = join(model.directory, 'model');
    this.adapters = new DirectoryAdapters(this.modelDirectory);
    this.digests = new Map(model.adapters.map((name) => [name, this.adapters.add(join(model.directory, 'adapters', name))]));
    this.cases = [
      { name: 'base', mixture: [], expected: model.base },
      ...model.adapters.map((name) => ({ name, mixture: [this.part(name)], expected: readGoldenAdapter(model, name) })),
      ...model.compositions.map(({ name, parts, expected }) => ({
        name,
        mixture: parts.map(({ adapter, weight }) => this.part(adapter, weight)),
        expected,
      })),
      ...model.factorCompositions.map(({ name, parts, expected }) => ({
        name,
        mixture: createFactorMixture(parts.map(({ adapter, weight }) => this.part(adapter, weight))),
        expected,
      })),
    ];
  }

  part(name: string, weight = 1): Mixture[number] {
    const digest = this.digests.get(name);
    assert.ok(digest !== undefined);
    return { digest, weight };
  }
}

function rowsOf({ mixture, expected }: Case): { ids: number[]; from: number; mixture: Mixture }[] {
  return expected.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length, mixture }));
}

function assertScores({ name, expected }: Case, found: readonly { logprobs: Float32Array }[]): void {
  for (const [row, { targetNll }] of expected.entries()) {
    assert.equal(found[row]?.logprobs.length, targetNll.length);
    for (const [i, nll] of targetNll.entries()) {
      const difference = Math.abs(nll + (found[row]?.logprobs[i] ?? Number.NaN));
      assert.ok(difference < NLL_TOLERANCE, `${name}, prompt ${row}, token ${i}: differs by ${difference}`);
    }
  }
}

function request(ids: readonly number[], mixture: Mixture, options: Partial<GenerateRequest> = {}): GenerateRequest {
  return { ids, mixture, maxTokens: 8, stopTokens: [], sampling: GREEDY, topLogprobs: 0, stream: false, ...options };
}

const SMALL_RUNS = { paddedTokens: 128, positions: 16, closeAtTokens: 64 };

async function collect(tokens: AsyncIterable<GeneratedToken>): Promise<GeneratedToken[]> {
  const collected: GeneratedToken[] = [];
  for await (const token of tokens) collected.push(token);
  return collected;
}

/** The item, which the test knows to be there. */
function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  assert.ok(item !== undefined);
  return item;
}

const idsOf = (tokens: readonly GeneratedToken[]): number[] => tokens.map(({ id }) => id);

const models = listGoldenModels();

for (const model of models) {
  describe(`an engine over the golden ${model.name}`, () => {
    const bed = new GoldenBed(model);
    let engine: ModelEngine;
    before(async () => {
      engine = await openTestEngine(bed.modelDirectory, bed.adapters);
    });
    after(() => engine.close());

    test('one call scores base, adapters and compositions, ragged and mixed, as PEFT does', async () => {
      const found = await engine.score(bed.cases.flatMap(rowsOf));
      let first = 0;
      for (const one of bed.cases) assertScores(one, found.slice(first, (first += one.expected.length)));
    });

    test('rows that begin alike score as each alone, mixtures apart', async () => {
      const beginning = at(bed.model.base, 0).prompt;
      const rows = bed.cases.flatMap(({ mixture, expected }) =>
        expected.flatMap(({ prompt, target }, i) => [
          { ids: [...beginning, ...target], from: beginning.length - (i % 2), mixture },
          { ids: [...beginning, ...prompt, ...target], from: beginning.length + 1, mixture },
          { ids: [...prompt, ...target], from: prompt.length, mixture },
        ]),
      );
      const together = await engine.score(rows);
      for (const index of [0, 1, 2, 7, rows.length - 2, rows.length - 1]) {
        const [alone] = await engine.score([at(rows, index)]);
        const difference = Math.max(...at(together, index).logprobs.map((value, i) => Math.abs(value - (alone?.logprobs[i] ?? NaN))));
        assert.ok(difference < 2e-5, `row ${index} differs by ${difference}`);
      }
    });

    test('merged application gives the same numbers', async () => {
      for (const one of bed.cases) assertScores(one, await engine.score(rowsOf(one), { application: 'merged' }));
    });

    test('rows of different compositions generate together what each generates alone, and what PEFT generates', async () => {
      const requests = bed.cases.flatMap(({ mixture, expected }) => expected.map(({ prompt, greedy }) => ({ prompt, mixture, greedy })));
      const together = await Promise.all(requests.map(({ prompt, mixture }) => collect(engine.generate(request(prompt, mixture)))));
      for (const [index, { greedy }] of requests.entries()) {
        assert.deepEqual(idsOf(together[index] ?? []), greedy, `request ${index}`);
        assert.equal(together[index]?.at(-1)?.finish, 'length');
      }
      for (const index of [0, 4, requests.length - 1]) {
        const { prompt, mixture, greedy } = at(requests, index);
        assert.deepEqual(idsOf(await collect(engine.generate(request(prompt, mixture)))), greedy);
      }
    });
  });
}

describe('an engine', () => {
  const llama = models.find(({ name }) => name === 'llama');
  assert.ok(llama !== undefined);
  const bed = new GoldenBed(llama);
  const part = bed.part.bind(bed);
  let engine: ModelEngine;
  before(async () => {
    engine = await openTestEngine(bed.modelDirectory, bed.adapters);
  });
  after(() => engine.close());

  test('a seed gives the same tokens alone, in a batch, streamed or not', async () => {
    const sampled = [
      { temperature: 1, topK: 0, topP: 1, seed: 1 },
      { temperature: 0.7, topK: 5, topP: 0.9, seed: 2 },
      { temperature: 1.5, topK: 0, topP: 0.8, seed: -3 },
      GREEDY,
    ];
    const requests = sampled.map((sampling, index) =>
      request([5, 6, 7, 8].slice(0, index + 1), index % 2 === 0 ? [part('lora-r8-all', 0.8)] : [part('rslora-r8', -0.5)], {
        sampling,
        maxTokens: 40,
      }),
    );
    const together = await Promise.all(requests.map((one) => collect(engine.generate(one))));
    for (const [index, one] of requests.entries()) {
      assert.deepEqual(idsOf(await collect(engine.generate(one))), idsOf(together[index] ?? []), `row ${index} alone`);
      assert.deepEqual(
        idsOf(await collect(engine.generate({ ...one, stream: true }))),
        idsOf(together[index] ?? []),
        `row ${index} streamed`,
      );
    }
    const other = await collect(engine.generate({ ...at(requests, 0), sampling: { ...GREEDY, temperature: 1, seed: 99 } }));
    assert.notDeepEqual(idsOf(other), idsOf(together[0] ?? []), 'another seed, another text');
  });

  test('requests that join while others run get the tokens they would get alone', async () => {
    const first = request([9, 8, 7], [part('lora-r8-all')], { maxTokens: 60, stream: true });
    const second = request([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [part('lora-patterns', 0.5)], { maxTokens: 10 });
    const alone = [idsOf(await collect(engine.generate(first))), idsOf(await collect(engine.generate(second)))];
    const iterator = engine.generate(first)[Symbol.asyncIterator]();
    const tokens: number[] = [];
    const joined: Promise<GeneratedToken[]>[] = [];
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      tokens.push(next.value.id);
      if (tokens.length === 5 || tokens.length === 20) joined.push(collect(engine.generate(second)));
    }
    assert.deepEqual(tokens, alone[0]);
    for (const one of await Promise.all(joined)) assert.deepEqual(idsOf(one), alone[1]);
  });

  test('log-probabilities of generated tokens are those that scoring gives, and the top lists hold them', async () => {
    const mixture = [part('lora-r8-all', 0.5), part('lora-r4-qv', 0.7)];
    const prompt = [3, 1, 4, 1, 5];
    const tokens = await collect(
      engine.generate(request(prompt, mixture, { maxTokens: 20, topLogprobs: 3, sampling: { ...GREEDY, temperature: 1, seed: 4 } })),
    );
    const [scored] = await engine.score([{ ids: [...prompt, ...idsOf(tokens)], from: prompt.length, mixture }], { topLogprobs: 3 });
    for (const [i, token] of tokens.entries()) {
      assert.ok(Math.abs(token.logprob - (scored?.logprobs[i] ?? Number.NaN)) < NLL_TOLERANCE, `token ${i}`);
      assert.deepEqual(token.top?.ids, scored?.top[i]?.ids);
      assert.equal(token.top?.logprobs.length, 3);
      const place = token.top.ids.indexOf(token.id);
      if (place >= 0) assert.ok(Math.abs((token.top.logprobs[place] ?? 0) - token.logprob) < NLL_TOLERANCE);
    }
  });

  test('scoring in the background beside a stream: the same numbers on both sides', async () => {
    const mixtures = [0.2, 0.5, 0.9].map((weight) => [part('lora-r8-all', weight), part('lora-r4-qv', 1 - weight)]);
    const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 256);
    const rows = Array.from({ length: 24 }, (_, i) => ({ ids: ids.slice(0, 20 + (i % 20)), from: 5, mixture: mixtures[i % 3] ?? [] }));
    const asked = request([3, 1, 4, 1, 5], [part('rslora-r8')], { maxTokens: 60, stream: true });
    const [aloneScores, aloneTokens] = [await engine.score(rows), idsOf(await collect(engine.generate(asked)))];
    const [scores, tokens] = await Promise.all([engine.score(rows, { background: true }), collect(engine.generate(asked))]);
    assert.deepEqual(idsOf(tokens), aloneTokens);
    for (const [i, { logprobs }] of scores.entries()) {
      assert.equal(logprobs.length, aloneScores[i]?.logprobs.length);
      for (const [j, logprob] of logprobs.entries()) {
        assert.ok(Math.abs(logprob - (aloneScores[i]?.logprobs[j] ?? Number.NaN)) < NLL_TOLERANCE, `row ${i}, token ${j}`);
      }
    }
  });

  test('answers in the background beside a stream: the same tokens on both sides', async () => {
    const asked = request([3, 1, 4, 1, 5], [part('rslora-r8')], { maxTokens: 60, stream: true });
    const quiet = [0.2, 0.9].map((weight) => request([9, 2, 6, 5], [part('lora-r8-all', weight)], { maxTokens: 12 }));
    const answer = (all: readonly GenerateRequest[]): Promise<number[][]> =>
      Promise.all(all.map(async (one) => idsOf(await collect(engine.generate(one)))));
    const [streamed, ...alone] = [...(await answer([asked])), ...(await answer(quiet))];
    assert.deepEqual(await answer([asked, ...quiet.map((one) => ({ ...one, background: true }))]), [streamed, ...alone]);
  });

  test('a stop token ends the row and is reported', async () => {
    const { mixture, expected } = at(bed.cases, 0);
    const { prompt, greedy } = at(expected, 0);
    const stop = at(greedy, 3);
    const tokens = await collect(engine.generate(request(prompt, mixture, { stopTokens: [254, stop] })));
    assert.deepEqual(idsOf(tokens), greedy.slice(0, greedy.indexOf(stop) + 1));
    assert.equal(tokens.at(-1)?.finish, 'stop');
  });

  test('a text longer than a run may score comes back whole', async () => {
    const ids = Array.from({ length: 512 }, (_, i) => (i * 37) % 256);
    const [whole] = await engine.score([{ ids, from: 1, mixture: [part('rslora-r8')] }]);
    assert.equal(whole?.logprobs.length, 511);
    for (const from of [1, 200, 505]) {
      const [some] = await engine.score([{ ids: ids.slice(0, from + 5), from, mixture: [part('rslora-r8')] }]);
      for (let i = 0; i < 5; i++)
        assert.ok(Math.abs((some?.logprobs[i] ?? Number.NaN) - (whole.logprobs[from - 1 + i] ?? Number.NaN)) < NLL_TOLERANCE);
    }
  });

  test('embeddings are means over tokens: what a row gives alone, in a batch, in pieces, and as the sum of its parts', async () => {
    const long = Array.from({ length: 512 }, (_, i) => (i * 37) % 256);
    const mixture = [part('lora-r8-all', 0.7)];
    const rows = [
      { ids: long.slice(0, 5), from: 0, mixture: [] },
      { ids: long, from: 0, mixture },
      { ids: [7], from: 0, mixture: [] },
      { ids: long, from: 300, mixture },
      { ids: long.slice(0, 5), from: 0, mixture },
      { ids: long.slice(0, 300), from: 0, mixture },
    ];
    const together = await engine.embed(rows);
    const largest = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))));
    for (const [i, row] of rows.entries()) {
      const [alone] = await engine.embed([row]);
      assert.equal(alone?.length, engine.hiddenSize);
      assert.ok(largest(alone, at(together, i)) < NLL_TOLERANCE, `row ${i}`);
    }
    const parts = at(together, 3).map((value, i) => (212 * value + 300 * (at(together, 5)[i] ?? Number.NaN)) / 512);
    assert.ok(largest(parts, at(together, 1)) < NLL_TOLERANCE);
    assert.ok(largest(at(together, 0), at(together, 4)) > 100 * NLL_TOLERANCE, 'the mixture counts');

    const pieces = await openTestEngine(bed.modelDirectory, bed.adapters, { limits: { score: { ...SMALL_RUNS, chunkTokens: () => 64 } } });
    try {
      const cut = await pieces.embed(rows);
      for (const [i, vector] of cut.entries()) assert.ok(largest(vector, at(together, i)) < NLL_TOLERANCE, `row ${i} in pieces`);
    } finally {
      await pieces.close();
    }
  });

  test('a row may fill the context to its last token', async () => {
    const ids = Array.from({ length: 500 }, (_, i) => (i * 31) % 256);
    const short = request([1, 2], [], { maxTokens: 40 });
    const [long, beside] = await Promise.all([
      collect(engine.generate(request(ids, [], { maxTokens: 12 }))),
      collect(engine.generate(short)),
    ]);
    assert.equal(long.length, 12);
    assert.deepEqual(idsOf(beside), idsOf(await collect(engine.generate(short))));
  });

  test('weight 0 is the base, equal digests add up, and the order does not matter', async () => {
    const score = async (mixture: Mixture): Promise<number[]> => [
      ...((await engine.score([{ ids: [1, 2, 3, 4, 5, 6], from: 1, mixture }]))[0]?.logprobs ?? []),
    ];
    assert.deepEqual(await score([part('lora-r8-all', 0)]), await score([]));
    assert.deepEqual(await score([part('lora-r8-all', 0.25), part('lora-r8-all', 0.5)]), await score([part('lora-r8-all', 0.75)]));
    assert.deepEqual(
      await score([part('lora-r8-all', 0.3), part('rslora-r8', 0.5)]),
      await score([part('rslora-r8', 0.5), part('lora-r8-all', 0.3)]),
    );
  });

  test('adapters that do not fit together take turns in a small memory, and the numbers stay right', async () => {
    const singles = bed.cases.filter(({ mixture }) => mixture.length === 1);
    // Room for the largest adapter and little more: seven linear classes in three layers, pages of rank 8.
    const small = await openTestEngine(bed.modelDirectory, bed.adapters, { adapterMemoryBytes: 150_000 });
    try {
      const countLoads = (): number => [...bed.adapters.loads.values()].reduce((sum, loads) => sum + loads, 0);
      const before = countLoads();
      for (let round = 0; round < 2; round++) {
        const found = await Promise.all(singles.map((one) => small.score(rowsOf(one))));
        for (const [index, one] of singles.entries()) assertScores(one, at(found, index));
      }
      assert.ok(countLoads() - before > singles.length, 'some were evicted and loaded again');
      const everything = bed.model.adapters.map((name) => part(name));
      await assert.rejects(small.score([{ ids: [1, 2], from: 1, mixture: everything }]), { code: 'ADAPTER_MEMORY_EXCEEDED', status: 413 });
    } finally {
      await small.close();
    }
  });
});
