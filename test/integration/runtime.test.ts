// The engine on real ONNX Runtime sessions, against PEFT's numbers: scores, tokens in any batch, adapters coming and going, merged = factored.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Digest } from '#src/ids/ids.js';
import type { GeneratedToken, GenerateRequest, Mixture } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';

interface Expected {
  readonly prompt: number[];
  readonly target: number[];
  readonly targetNll: number[];
  readonly greedy: number[];
}

const golden = findSharedPath('golden', 'llama');
// As ../shared/golden/README.md says.
const NLL_TOLERANCE = 1e-4;
const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0 };

function readJson(...parts: string[]): unknown {
  return JSON.parse(readFileSync(join(golden ?? '', ...parts), 'utf8'));
}

function request(ids: readonly number[], mixture: Mixture, options: Partial<GenerateRequest> = {}): GenerateRequest {
  return { ids, mixture, maxTokens: 8, stopTokens: [], sampling: GREEDY, topLogprobs: 0, stream: false, ...options };
}

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

describe('an engine over the golden llama', { skip: golden === undefined ? sharedFolderMissing : false }, () => {
  const adapters = new DirectoryAdapters(join(golden ?? '', 'model'));
  const digests: Record<string, Digest> = Object.fromEntries(
    ['lora-r4-qv', 'lora-r4-qv-b', 'lora-r8-all', 'lora-r3-all-odd', 'lora-patterns', 'lora-layers', 'rslora-r8'].map((name) => [
      name,
      adapters.add(join(golden ?? '', 'adapters', name)),
    ]),
  );
  const part = (name: string, weight = 1): Mixture[number] => ({ digest: digests[name] ?? ('' as Digest), weight });
  const cases: { name: string; mixture: Mixture; expected: Expected[] }[] = [];
  let engine: ModelEngine;

  before(async () => {
    cases.push({ name: 'base', mixture: [], expected: readJson('expected-base.json') as Expected[] });
    for (const name of Object.keys(digests))
      cases.push({ name, mixture: [part(name)], expected: readJson('adapters', name, 'expected.json') as Expected[] });
    for (const name of ['two-ranks', 'single-half']) {
      const { parts, expected } = readJson('compositions', `${name}.json`) as {
        parts: { adapter: string; weight: number }[];
        expected: Expected[];
      };
      cases.push({ name, mixture: parts.map(({ adapter, weight }) => part(adapter, weight)), expected });
    }
    engine = await openTestEngine(join(golden ?? '', 'model'), adapters);
  });
  after(() => engine.close());

  const named = (name: string): (typeof cases)[number] =>
    at(
      cases,
      cases.findIndex((one) => one.name === name),
    );
  const rowsOf = ({ mixture, expected }: (typeof cases)[number]): { ids: number[]; from: number; mixture: Mixture }[] =>
    expected.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length, mixture }));

  function assertScores(name: string, found: readonly { logprobs: Float32Array }[], expected: readonly Expected[]): void {
    for (const [row, { targetNll }] of expected.entries()) {
      assert.equal(found[row]?.logprobs.length, targetNll.length);
      for (const [i, nll] of targetNll.entries()) {
        const difference = Math.abs(nll + (found[row]?.logprobs[i] ?? Number.NaN));
        assert.ok(difference < NLL_TOLERANCE, `${name}, prompt ${row}, token ${i}: differs by ${difference}`);
      }
    }
  }

  test('one call scores base, adapters and compositions, ragged and mixed, as PEFT does', async () => {
    const found = await engine.score(cases.flatMap(rowsOf));
    for (const [index, { name, expected }] of cases.entries()) assertScores(name, found.slice(index * 3, index * 3 + 3), expected);
  });

  test('merged application gives the same numbers', async () => {
    for (const one of cases) assertScores(one.name, await engine.score(rowsOf(one), { application: 'merged' }), one.expected);
  });

  test('rows of different compositions generate together what each generates alone, and what PEFT generates', async () => {
    const requests = cases.flatMap(({ mixture, expected }) => expected.map(({ prompt, greedy }) => ({ prompt, mixture, greedy })));
    const together = await Promise.all(requests.map(({ prompt, mixture }) => collect(engine.generate(request(prompt, mixture)))));
    for (const [index, { greedy }] of requests.entries()) {
      assert.deepEqual(idsOf(together[index] ?? []), greedy, `request ${index}`);
      assert.equal(together[index]?.at(-1)?.finish, 'length');
    }
    for (const index of [0, 4, 13, 26]) {
      const { prompt, mixture, greedy } = at(requests, index);
      assert.deepEqual(idsOf(await collect(engine.generate(request(prompt, mixture)))), greedy);
    }
  });

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

  test('a stop token ends the row and is reported', async () => {
    const { mixture, expected } = at(cases, 0);
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
    const names = Object.keys(digests);
    // Room for the largest adapter and little more: seven linear classes in three layers, pages of rank 8.
    const small = await openTestEngine(join(golden ?? '', 'model'), adapters, { adapterMemoryBytes: 150_000 });
    try {
      const loadsBefore = adapters.loads.get(part('lora-r8-all').digest) ?? 0;
      for (let round = 0; round < 2; round++) {
        const found = await Promise.all(names.map((name) => small.score(rowsOf(named(name)))));
        for (const [index, name] of names.entries()) assertScores(name, at(found, index), named(name).expected);
      }
      assert.ok((adapters.loads.get(part('lora-r8-all').digest) ?? 0) - loadsBefore >= 2, 'it was evicted and loaded again');
      await assert.rejects(small.score([{ ids: [1, 2], from: 1, mixture: names.map((name) => part(name)) }]), {
        code: 'ADAPTER_MEMORY_EXCEEDED',
        status: 413,
      });
    } finally {
      await small.close();
    }
  });
});
