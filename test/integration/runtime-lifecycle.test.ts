// How an engine treats its requests over time: streaming, long prompts, cancelling, full queues, crashes, growing adapter classes, closing.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import { BraidError } from '#src/http/braid-error.js';
import type { Digest } from '#src/ids/ids.js';
import type { GeneratedToken, GenerateRequest, Mixture, ScoreRow } from '#src/runtime/engine.js';
import type { ModelEngine, EngineOptions } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

// A random model and adapters of different ranks and targets: what matters here is who gets which answer when.
const bed = mkdtempSync(join(tmpdir(), 'braid-runtime-'));
const model = join(bed, 'model');
const adapterDirectory = (name: string): string => join(bed, name);
const ADAPTERS = {
  'lora-r4-qv': { seed: 1, rank: 4, targets: ['q_proj', 'v_proj'] },
  'lora-r12-all': { seed: 2, rank: 12, targets: LINEAR_CLASSES },
};
const CONTEXT = 512;
const VOCABULARY = 272;

before(() => {
  writeTinyModel(model, { config: { max_position_embeddings: CONTEXT } });
  for (const [name, options] of Object.entries(ADAPTERS)) {
    const { config, weights } = createTinyAdapter(options);
    mkdirSync(adapterDirectory(name));
    writeFileSync(join(adapterDirectory(name), 'adapter_config.json'), config);
    writeFileSync(join(adapterDirectory(name), 'adapter_model.safetensors'), weights);
  }
});
after(() => rmSync(bed, { recursive: true }));

interface Bench {
  readonly engine: ModelEngine;
  readonly adapters: DirectoryAdapters;
  readonly part: (name: string, weight?: number) => Mixture[number];
}

/** Runs a test on an engine of its own, and closes it. */
async function withEngine(options: Partial<EngineOptions>, run: (bench: Bench) => Promise<void>): Promise<void> {
  const adapters = new DirectoryAdapters(model);
  const engine = await openTestEngine(model, adapters, options);
  try {
    await run({ engine, adapters, part: (name, weight = 1) => ({ digest: adapters.add(adapterDirectory(name)), weight }) });
  } finally {
    await engine.close();
  }
}

const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0 };

function request(options: Partial<GenerateRequest> = {}): GenerateRequest {
  return { ids: [1, 2, 3], mixture: [], maxTokens: 8, stopTokens: [], sampling: GREEDY, topLogprobs: 0, stream: false, ...options };
}

async function collect(tokens: AsyncIterable<GeneratedToken>): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of tokens) ids.push(id);
  return ids;
}

const longIds = (length: number): number[] => Array.from({ length }, (_, i) => (i * 37 + 11) % VOCABULARY);
const scoreRow = (mixture: Mixture = [], length = 12): ScoreRow => ({ ids: longIds(length), from: 1, mixture });

describe('an engine over time', () => {
  test('a stream is read while it is written', async () => {
    await withEngine({}, async ({ engine }) => {
      let read = 0;
      const readBefore: number[] = [];
      const beside: Promise<unknown>[] = [];
      for await (const _token of engine.generate(request({ maxTokens: 400, stream: true }))) {
        // A request that comes with the first token, and one in the middle, are answered while the rest is still written.
        if (read === 0 || read === 200) beside.push(collect(engine.generate(request())).then(() => readBefore.push(read)));
        read++;
      }
      await Promise.all(beside);
      assert.equal(read, 400);
      assert.ok((readBefore[0] ?? 400) < 200 && (readBefore[1] ?? 400) < 400, `${readBefore.join(' and ')} of 400 tokens`);
    });
  });

  test('long prompts and texts in pieces give what one run gives, beside other rows', async () => {
    const ids = longIds(300);
    let whole: { tokens: number[]; scores: Float32Array[] } = { tokens: [], scores: [] };
    const work = async ({ engine, part }: Bench): Promise<{ tokens: number[]; scores: Float32Array[] }> => {
      const mixture = [part('lora-r12-all', 0.5)];
      const [tokens, beside, scores] = await Promise.all([
        collect(engine.generate(request({ ids, mixture, maxTokens: 20 }))),
        collect(engine.generate(request({ mixture, maxTokens: 40, stream: true }))),
        engine.score([
          { ids, from: 1, mixture },
          { ids, from: 290, mixture: [] },
          { ids: ids.slice(0, 9), from: 3, mixture },
        ]),
      ]);
      return { tokens: [...tokens, ...beside], scores: scores.map(({ logprobs }) => logprobs) };
    };
    await withEngine({}, async (bench) => {
      whole = await work(bench);
    });
    const chunkTokens = (): number => 33;
    const score = { paddedTokens: 64, positions: 25, closeAtTokens: 32, chunkTokens };
    await withEngine({ limits: { chunkTokens, prefillTokens: 33, score } }, async (bench) => {
      const pieces = await work(bench);
      assert.deepEqual(pieces.tokens, whole.tokens);
      for (const [row, logprobs] of pieces.scores.entries()) {
        const expected = whole.scores[row] ?? new Float32Array();
        assert.equal(logprobs.length, expected.length);
        for (const [i, logprob] of logprobs.entries())
          assert.ok(Math.abs(logprob - (expected[i] ?? Number.NaN)) < 1e-5, `row ${row}, token ${i}`);
      }
      const merged = await bench.engine.score([{ ids, from: 1, mixture: [bench.part('lora-r12-all', 0.5)] }], { application: 'merged' });
      for (const [i, logprob] of (merged[0]?.logprobs ?? []).entries())
        assert.ok(Math.abs(logprob - (whole.scores[0]?.[i] ?? Number.NaN)) < 1e-4);
    });
  });

  test('more requests than rows all finish, in batches', async () => {
    await withEngine({ maxBatchRows: 3 }, async ({ engine }) => {
      const alone = await collect(engine.generate(request({ ids: [7, 8], maxTokens: 11 })));
      const many = await Promise.all(
        Array.from({ length: 10 }, (_, i) => collect(engine.generate(request({ ids: [7, 8], maxTokens: 11, stream: i % 3 === 0 })))),
      );
      for (const tokens of many) assert.deepEqual(tokens, alone);
    });
  });

  test('a request that leaves makes room: by its signal, by returning the iterator, and while it waits', async () => {
    await withEngine({ maxBatchRows: 1 }, async ({ engine, part }) => {
      const controller = new AbortController();
      const endless = engine.generate(request({ maxTokens: 500, stream: true, signal: controller.signal }))[Symbol.asyncIterator]();
      assert.equal((await endless.next()).done, false);
      const waiting = new AbortController();
      const never = collect(engine.generate(request({ signal: waiting.signal, mixture: [part('lora-r12-all')] })));
      await sleep(20);
      waiting.abort();
      await assert.rejects(never, { code: 'REQUEST_CANCELLED' });
      controller.abort();
      await assert.rejects(
        async () => {
          // Tokens that were written before the abort may still be read.
          for (let i = 0; i < 500; i++) if ((await endless.next()).done === true) return;
        },
        { code: 'REQUEST_CANCELLED', status: 499 },
      );
      assert.equal((await endless.next()).done, true);

      const left = engine.generate(request({ maxTokens: 500, stream: true }));
      for await (const _token of left) break;
      const pending = engine.generate(request({ maxTokens: 500 }))[Symbol.asyncIterator]();
      const next = pending.next();
      await pending.return?.();
      assert.equal((await next).done, true, 'a read that waits ends when the reader returns');

      const scoring = new AbortController();
      const scored = engine.score(
        Array.from({ length: 200 }, () => scoreRow([], 200)),
        { signal: scoring.signal },
      );
      await sleep(20);
      scoring.abort();
      await assert.rejects(scored, { code: 'REQUEST_CANCELLED' });
      await assert.rejects(engine.score([scoreRow()], { signal: AbortSignal.abort() }), { code: 'REQUEST_CANCELLED' });
      assert.equal((await collect(engine.generate(request()))).length, 8, 'the only row is free again');
    });
  });

  test('readers that leave between two runs take nothing from the rows beside them', async () => {
    await withEngine({ maxBatchRows: 8 }, async ({ engine }) => {
      const read = async (ids: readonly number[], most: number): Promise<number[]> => {
        const tokens: number[] = [];
        for await (const { id } of engine.generate(request({ ids, maxTokens: 48 }))) {
          tokens.push(id);
          if (tokens.length === most) break;
        }
        return tokens;
      };
      const alone = await read([7, 8], 48);
      // A reader gets the tokens of a run one after another, so the later it leaves, the nearer to the next run.
      const many = await Promise.all(Array.from({ length: 40 }, (_, i) => read([7, 8], i % 4 === 0 ? 48 : 1 + (i % 16))));
      for (const tokens of many) assert.deepEqual(tokens, alone.slice(0, tokens.length));
    });
  });

  test('one signal cancels many requests, without a warning of leaks', async (t) => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    t.after(() => process.off('warning', listen));
    await withEngine({}, async ({ engine }) => {
      const controller = new AbortController();
      const answers = Promise.allSettled(
        Array.from({ length: 20 }, () => collect(engine.generate(request({ maxTokens: 500, signal: controller.signal })))),
      );
      await sleep(50);
      controller.abort();
      for (const answer of await answers)
        assert.equal(answer.status === 'rejected' && (answer.reason as { code: string }).code, 'REQUEST_CANCELLED');
    });
    assert.deepEqual(warnings, []);
  });

  test('beyond the queue limit the answer is QUEUE_FULL, and what was taken in is served', async () => {
    await withEngine({ maxBatchRows: 1, maxQueue: 2 }, async ({ engine }) => {
      const running = engine.generate(request({ maxTokens: 60, stream: true }))[Symbol.asyncIterator]();
      await running.next();
      const queued = [collect(engine.generate(request())), engine.score([scoreRow()])];
      await assert.rejects(collect(engine.generate(request())), { code: 'QUEUE_FULL', status: 429, retryable: true });
      await assert.rejects(engine.score([scoreRow()]), { code: 'QUEUE_FULL', message: /has 2 of at most 2 requests/ });
      await running.return?.();
      await Promise.all(queued);
      assert.equal((await collect(engine.generate(request()))).length, 8);
    });
  });

  test('beyond the tokens that may wait the answer is QUEUE_FULL at once, with both numbers and when to come again', async () => {
    await withEngine({ maxBatchRows: 1, maxQueueTokens: 100 }, async ({ engine }) => {
      const running = engine.generate(request({ maxTokens: 400, stream: true }))[Symbol.asyncIterator]();
      await running.next();
      const large = collect(engine.generate(request({ ids: longIds(60), maxTokens: 50 })));
      assert.deepEqual([engine.openCount, engine.waitingCount], [2, 1], 'alone it may be larger than the bound');
      await assert.rejects(collect(engine.generate(request({ maxTokens: 1 }))), {
        code: 'QUEUE_FULL',
        status: 429,
        fields: { waiting: 1, maxQueue: 256, waitingTokens: 110, maxQueueTokens: 100, tokens: 4 },
        message: /1 of at most 256 requests waiting, with 110 of at most 100 tokens, and this one would add 4: send it again in 5 s/,
        retryAfterSeconds: 5,
      });
      await assert.rejects(engine.score([scoreRow()]), { code: 'QUEUE_FULL' });
      const background = engine.score([scoreRow([], 200)], { background: true });
      await running.return?.();
      assert.equal((await large).length, 50);
      await background;
      assert.deepEqual([engine.openCount, engine.waitingCount], [0, 0]);
      const [first, second] = [collect(engine.generate(request({ maxTokens: 40 }))), collect(engine.generate(request({ maxTokens: 40 })))];
      assert.deepEqual([(await first).length, (await second).length], [40, 40], 'two that fit together');
    });
  });

  test('a deadline is its signal’s reason, wherever the request is when it passes', async () => {
    await withEngine({ maxBatchRows: 1, limits: { chunkTokens: () => 4 } }, async ({ engine }) => {
      const late = new BraidError('LATE', { status: 504, message: 'late' });
      for (const phase of ['queue', 'prompt', 'tokens'] as const) {
        const ahead = phase === 'queue' ? collect(engine.generate(request({ maxTokens: 500 }))).catch(() => undefined) : undefined;
        const controller = new AbortController();
        const ids = phase === 'prompt' ? longIds(400) : [1, 2];
        const answer = engine.generate(request({ ids, maxTokens: 100, stream: true, signal: controller.signal }));
        const asked = (async () => {
          for await (const _token of answer) if (phase === 'tokens') controller.abort(late);
        })();
        if (phase !== 'tokens') setTimeout(() => controller.abort(late), 30);
        await assert.rejects(asked, late, phase);
        assert.equal(engine.openCount, phase === 'queue' ? 1 : 0);
        await ahead;
        await assert.rejects(engine.score([scoreRow()], { signal: controller.signal }), late);
      }
      assert.equal((await collect(engine.generate(request()))).length, 8);
    });
  });

  test('scoring and generating take turns', async () => {
    await withEngine({}, async ({ engine }) => {
      const finished: string[] = [];
      const scores = engine.score(Array.from({ length: 60 }, () => scoreRow([], 400))).then(() => finished.push('scores'));
      const tokens = collect(engine.generate(request({ maxTokens: 12, stream: true }))).then(() => finished.push('tokens'));
      const small = engine.score([scoreRow()]).then(() => finished.push('small score'));
      await Promise.all([scores, tokens, small]);
      assert.equal(finished.at(-1), 'scores');
    });
  });

  test('a worker that dies answers all its requests with WORKER_CRASHED, and the next ones work', async () => {
    await withEngine({}, async ({ engine, part, adapters }) => {
      const mixture = [part('lora-r4-qv')];
      const before = await collect(engine.generate(request({ mixture })));
      const scored = (await engine.score([scoreRow(mixture)]))[0]?.logprobs;
      const loads = adapters.loads.get(mixture[0]?.digest ?? ('' as Digest));
      const open = [
        collect(engine.generate(request({ mixture, maxTokens: 500, stream: true }))),
        collect(engine.generate(request({ maxTokens: 500 }))),
        engine.score(Array.from({ length: 300 }, () => scoreRow([part('lora-r12-all')], 300))),
      ];
      const answers = Promise.allSettled(open);
      await sleep(50);
      await engine.crashWorker();
      for (const answer of await answers) {
        assert.equal(answer.status, 'rejected');
        assert.equal((answer.reason as { code: string }).code, 'WORKER_CRASHED');
        assert.equal((answer.reason as { retryable: boolean }).retryable, true);
      }
      assert.deepEqual(await collect(engine.generate(request({ mixture }))), before);
      assert.deepEqual((await engine.score([scoreRow(mixture)]))[0]?.logprobs, scored);
      assert.equal(adapters.loads.get(mixture[0]?.digest ?? ('' as Digest)), (loads ?? 0) + 1, 'its pages were lost and filled again');
      await engine.crashWorker();
      await engine.crashWorker();
      assert.deepEqual(await collect(engine.generate(request({ mixture }))), before, 'and again');
    });
  });

  test('adapters that reach new classes of modules may come while others generate', async () => {
    await withEngine({}, async ({ engine, part }) => {
      const attention = request({ mixture: [part('lora-r4-qv')], maxTokens: 60, stream: true });
      const all = request({ mixture: [part('lora-r12-all')], maxTokens: 10 });
      const tokens: number[] = [];
      let grown: Promise<number[]> | undefined;
      for await (const { id } of engine.generate(attention)) {
        tokens.push(id);
        if (tokens.length === 6) grown = collect(engine.generate(all));
      }
      assert.deepEqual(await grown, await collect(engine.generate(all)));
      assert.deepEqual(tokens, await collect(engine.generate(attention)));
    });
    await withEngine({ adapterClasses: ['q_proj', 'v_proj'] }, async ({ engine, part }) => {
      assert.equal((await engine.score([scoreRow([])])).length, 1, 'classes that no adapter uses yet');
      assert.equal((await engine.score([scoreRow([part('lora-r12-all')])])).length, 1);
    });
  });

  test('the hub keeps its pace while the model runs', async () => {
    await withEngine({}, async ({ engine, part }) => {
      const before = performance.eventLoopUtilization();
      await engine.score(Array.from({ length: 100 }, () => scoreRow([part('lora-r12-all')], 400)));
      const { utilization } = performance.eventLoopUtilization(before);
      assert.ok(utilization < 0.5, `it was busy for ${(100 * utilization).toFixed(0)} % of the time`);
    });
  });

  test('closing lets what runs finish when it is given time, refuses the rest, and answers everything', async () => {
    await withEngine({}, async ({ engine }) => {
      const running = collect(engine.generate(request({ maxTokens: 30 })));
      await sleep(10);
      const closing = engine.close({ drainMs: 20_000 });
      await assert.rejects(engine.score([scoreRow()]), { code: 'ENGINE_CLOSED', status: 503, retryable: true });
      assert.equal((await running).length, 30);
      await closing;
    });
    await withEngine({}, async ({ engine }) => {
      const running = Promise.allSettled([collect(engine.generate(request({ maxTokens: 500 }))), engine.score([scoreRow([], 400)])]);
      await engine.close();
      for (const answer of await running)
        assert.equal(answer.status === 'rejected' && (answer.reason as { code: string }).code, 'ENGINE_CLOSED');
      await assert.rejects(collect(engine.generate(request())), { code: 'ENGINE_CLOSED' });
      await engine.close();
    });
  });

  test('a model whose weights are gone or cut off is a clear error, and works once they are back', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'braid-model-'));
    try {
      cpSync(model, directory, { recursive: true });
      const adapters = new DirectoryAdapters(directory);
      const engine = await openTestEngine(directory, adapters);
      try {
        truncateSync(join(directory, 'model.safetensors'), 5000);
        await assert.rejects(engine.score([scoreRow()]), { code: 'MODEL_UNLOADABLE', status: 500 });
        rmSync(join(directory, 'model.safetensors'));
        await assert.rejects(collect(engine.generate(request())), { code: 'MODEL_UNLOADABLE' });
        cpSync(join(model, 'model.safetensors'), join(directory, 'model.safetensors'));
        assert.equal((await collect(engine.generate(request()))).length, 8);
      } finally {
        await engine.close();
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  for (const provider of ['webgpu', 'cuda'] as const) {
    test(`the provider ${provider} computes what the CPU does, or says what to install`, async () => {
      const { engine, error } = await openTestEngine(model, new DirectoryAdapters(model), { provider }).then(
        (opened) => ({ engine: opened, error: undefined }),
        (reason: unknown) => ({ engine: undefined, error: reason }),
      );
      if (engine === undefined) {
        assert.ok(error instanceof BraidError, String(error));
        assert.deepEqual([error.code, error.status, error.fields['provider']], ['PROVIDER_UNAVAILABLE', 503, provider]);
        assert.match(error.message, provider === 'cuda' ? /install\.js --onnxruntime-node-install=cuda12/ : /SwiftShader/);
        assert.match(error.message, /BRAID_PROVIDER=cpu/);
        return;
      }
      try {
        await withEngine({ provider: 'cpu' }, async (bench) => {
          const [expected] = await bench.engine.score([scoreRow([], 100)]);
          const [found] = await engine.score([scoreRow([], 100)]);
          for (const [i, logprob] of (found?.logprobs ?? []).entries())
            assert.ok(Math.abs(logprob - (expected?.logprobs[i] ?? Number.NaN)) < 1e-3);
        });
      } finally {
        await engine.close();
      }
    });
  }

  test('requests that make no sense are refused before anything runs', async () => {
    await withEngine({}, async ({ engine, part, adapters }) => {
      const refused: [Partial<GenerateRequest>, string][] = [
        [{ ids: [] }, 'EMPTY_INPUT'],
        [{ ids: [VOCABULARY] }, 'TOKEN_OUT_OF_RANGE'],
        [{ ids: [1, -1] }, 'TOKEN_OUT_OF_RANGE'],
        [{ ids: [1.5] }, 'TOKEN_OUT_OF_RANGE'],
        [{ ids: longIds(505) }, 'CONTEXT_OVERFLOW'],
        [{ maxTokens: 0 }, 'OUT_OF_BOUNDS'],
        [{ maxTokens: Number.POSITIVE_INFINITY }, 'OUT_OF_BOUNDS'],
        [{ maxTokens: 1e15 }, 'CONTEXT_OVERFLOW'],
        [{ topLogprobs: 21 }, 'OUT_OF_BOUNDS'],
        [{ mixture: [part('lora-r12-all', Number.NaN)] }, 'OUT_OF_BOUNDS'],
        [{ mixture: [part('lora-r12-all', -1e30)] }, 'OUT_OF_BOUNDS'],
        [{ sampling: { temperature: -1, topK: 0, topP: 1, seed: 0 } }, 'OUT_OF_BOUNDS'],
        [{ sampling: { temperature: 1, topK: 0, topP: 0, seed: 0 } }, 'OUT_OF_BOUNDS'],
        [{ sampling: { temperature: 1, topK: 0.5, topP: 1, seed: 0 } }, 'OUT_OF_BOUNDS'],
        [{ sampling: { temperature: 1, topK: 0, topP: 1, seed: 1e300 } }, 'OUT_OF_BOUNDS'],
        [{ stopTokens: [999] }, 'OUT_OF_BOUNDS'],
        [{ minTokens: 9 }, 'OUT_OF_BOUNDS'],
        [{ minTokens: 0.5 }, 'OUT_OF_BOUNDS'],
        [{ minTokens: 2, stopTokens: [5], sampling: { ...GREEDY, allowedTokens: [5] } }, 'OUT_OF_BOUNDS'],
        ...[
          { minP: Number.NaN },
          { minP: -0.1 },
          { repetitionPenalty: 0 },
          { repetitionPenalty: Number.NaN },
          { repetitionPenalty: 1e30 },
          { presencePenalty: 2.5 },
          { frequencyPenalty: Number.NaN },
          { logitBias: new Map([[VOCABULARY, 1]]) },
          { logitBias: new Map([[5, Number.NaN]]) },
          { logitBias: new Map([[5, -101]]) },
          { allowedTokens: [] },
          { allowedTokens: [-1] },
          { allowedTokens: Array.from({ length: 1025 }, () => 5) },
        ].map((wrong): [Partial<GenerateRequest>, string] => [{ sampling: { ...GREEDY, ...wrong } }, 'OUT_OF_BOUNDS']),
      ];
      for (const [options, code] of refused) await assert.rejects(collect(engine.generate(request(options))), { code, status: 400 });
      await assert.rejects(engine.score([{ ids: [1, 2], from: 0, mixture: [] }]), { code: 'OUT_OF_BOUNDS' });
      await assert.rejects(engine.score([scoreRow([part('lora-r12-all')]), scoreRow()], { application: 'merged' }), {
        code: 'MIXTURES_DIFFER',
      });
      for (const [row, code] of [
        [{ ids: [], from: 0 }, 'EMPTY_INPUT'],
        [{ ids: [1, 2], from: 2 }, 'OUT_OF_BOUNDS'],
        [{ ids: [1, 2], from: -1 }, 'OUT_OF_BOUNDS'],
        [{ ids: [1, VOCABULARY], from: 0 }, 'TOKEN_OUT_OF_RANGE'],
        [{ ids: longIds(513), from: 0 }, 'CONTEXT_OVERFLOW'],
      ] as const)
        await assert.rejects(engine.embed([{ ...row, mixture: [] }]), { code, status: 400 });
      assert.deepEqual(await engine.embed([]), []);
      const missing = adapters.add(adapterDirectory('no-such-adapter'));
      await assert.rejects(engine.embed([{ ids: [1], from: 0, mixture: [{ digest: missing, weight: 1 }] }]), {
        code: 'ADAPTER_UNREADABLE',
      });
      await assert.rejects(engine.score([scoreRow([{ digest: missing, weight: 1 }])]), { code: 'ADAPTER_UNREADABLE', status: 500 });
      assert.deepEqual(await engine.score([]), []);
      assert.equal((await engine.score([{ ids: [5], from: 1, mixture: [] }]))[0]?.logprobs.length, 0, 'one token has nothing before it');
      assert.equal((await collect(engine.generate(request()))).length, 8);
    });
  });

  test('a mixture that overflows float32 is an error of that request alone', async () => {
    await withEngine({}, async ({ engine, adapters, part }) => {
      const digest = adapters.add(adapterDirectory('lora-r12-all'));
      const huge = Object.assign(Object.create(adapters) as DirectoryAdapters, {
        load: async (wanted: Digest) => {
          const adapter = await adapters.load(wanted);
          return { modules: adapter.modules.map((module) => ({ ...module, scale: 1e37 })) };
        },
      });
      const other = await openTestEngine(model, huge);
      try {
        const broken = collect(other.generate(request({ mixture: [{ digest, weight: 1e4 }] })));
        const fine = collect(other.generate(request({ maxTokens: 20 })));
        await assert.rejects(broken, { code: 'NOT_FINITE', status: 422 });
        await assert.rejects(other.score([scoreRow([{ digest, weight: 1e4 }])]), { code: 'NOT_FINITE', message: /under this mixture/ });
        const embedded = other.embed([{ ids: [1, 2], from: 0, mixture: [{ digest, weight: 1e4 }] }]);
        await assert.rejects(embedded, { code: 'NOT_FINITE', message: /under this mixture/ });
        assert.deepEqual(await fine, await collect(engine.generate(request({ maxTokens: 20 }))));
      } finally {
        await other.close();
      }
      assert.ok(part('lora-r12-all').digest === digest);
    });
  });
});
