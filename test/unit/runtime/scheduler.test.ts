// What runs when: the scheduler against a worker that is told what to answer. The numbers themselves are checked on real sessions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#src/ids/ids.js';
import type { GeneratedToken, GenerateRequest } from '#src/runtime/engine.js';
import type { GenerationTask } from '#src/runtime/generation-lane.js';
import { Scheduler, type SchedulerLimits } from '#src/runtime/scheduler.js';
import type { ScoreTask } from '#src/runtime/score-queue.js';
import type { RunCall, RunResult } from '#src/runtime/worker/protocol.js';

const STOP = 9;
const limits: SchedulerLimits = {
  maxBatchRows: 4,
  prefillTokens: 100,
  chunkTokens: () => 50,
  cacheBytes: 1000,
  cacheBytesPerToken: 1,
  streamedSteps: 4,
  backgroundTokens: 6,
  batchSteps: 16,
  contextLength: 300,
  pageRank: 8,
  slotCosts: { copyTokens: 100, separateFactor: 2 },
};

interface Bed {
  readonly scheduler: Scheduler;
  readonly calls: RunCall[];
  readonly forgotten: number[];
  /** Generates; the answer is the tokens, or the error. */
  readonly generate: (options?: Partial<GenerateRequest>) => { task: GenerationTask; done: Promise<GeneratedToken[]> };
  readonly score: (batches: number, options?: { isBackground?: boolean; rows?: number }) => Promise<void>;
}

/** Every row is given token 1 at every step, unless `answer` says otherwise; `onCall` may act while a run is on its way. */
function createBed(
  options: {
    limits?: Partial<SchedulerLimits>;
    onCall?: (call: RunCall, index: number) => void;
    token?: (call: RunCall, row: number, step: number) => number;
    logprob?: number;
    /** Milliseconds that a run takes by the scheduler's clock. */
    durationMs?: (call: RunCall) => number;
  } = {},
): Bed {
  let nowMs = 0;
  const calls: RunCall[] = [];
  const forgotten: number[] = [];
  const run = async (call: RunCall): Promise<RunResult> => {
    calls.push(call);
    options.onCall?.(call, calls.length - 1);
    await new Promise((resolve) => setImmediate(resolve));
    nowMs += options.durationMs?.(call) ?? 1;
    const places = call.steps * call.targets.length;
    const tokens = Array.from({ length: places }, (_, place) =>
      BigInt(options.token?.(call, place % call.targets.length, Math.floor(place / call.targets.length)) ?? 1),
    );
    return {
      steps: call.steps,
      tokens: BigInt64Array.from(tokens),
      logprobs: new Float32Array(places).fill(options.logprob ?? -1),
      topIds: new BigInt64Array(0),
      topValues: new Float32Array(0),
      hidden: new Float32Array(0),
    };
  };
  const scheduler = new Scheduler(
    { ...limits, ...options.limits },
    run,
    (keys) => forgotten.push(...keys),
    () => nowMs,
  );
  return {
    scheduler,
    calls,
    forgotten,
    generate: (request = {}) => {
      const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
      const full = { ids: [5, 6], mixture: [], maxTokens: 8, stopTokens: [STOP], sampling, topLogprobs: 0, stream: false, ...request };
      const collected: GeneratedToken[] = [];
      let task: GenerationTask | undefined;
      const done = new Promise<GeneratedToken[]>((resolve, reject) => {
        task = {
          request: full,
          adapters: [],
          deliver: (tokens) => {
            collected.push(...tokens);
            if (tokens.at(-1)?.finish !== undefined) resolve(collected);
          },
          fail: reject,
        };
      });
      assert.ok(task !== undefined);
      scheduler.generate(task);
      return { task, done };
    },
    score: (batches, { isBackground = false, rows = 1 } = {}) =>
      new Promise((resolve, reject) => {
        const batch = Array.from({ length: rows }, (_, row) => ({ row, start: 0, end: 3, from: 3, isLast: true }));
        const task: ScoreTask = {
          isBackground,
          batches: Array.from({ length: batches }, () => batch),
          createCall: (pieces) => ({ ...emptyCall, rows: pieces.length, targets: BigInt64Array.of(1n) }),
          deliver: () => undefined,
          finish: resolve,
          fail: reject,
        };
        scheduler.score(task);
      }),
  };
}

const emptyCall: RunCall = {
  application: 'factored',
  rows: 1,
  columns: 3,
  ids: BigInt64Array.of(1n, 2n, 3n),
  lengths: Int32Array.of(3),
  pastLengths: Int32Array.of(0),
  positions: BigInt64Array.of(0n, 2n),
  targets: BigInt64Array.of(1n),
  steps: 1,
  stopTokens: BigInt64Array.of(-1n),
  temperature: Float32Array.of(0),
  topK: Int32Array.of(0),
  topP: Float32Array.of(1),
  minP: Float32Array.of(0),
  uniforms: Float32Array.of(0),
  topLogprobs: 0,
  hiddenPositions: new BigInt64Array(0),
  lora: [],
  cache: { keys: [], isContinued: false, isKept: false },
};

/** `p2x3:1` is a prefill of two rows by three columns and one step, `d2:4` a decode, `s` a score batch; `+` where caches are kept. */
function describeCall(call: RunCall): string {
  const kept = call.cache.isKept ? '+' : '';
  if (call.targets[0] !== -1n) return call.cache.keys.length > 0 ? `fill${call.columns}${kept}` : 's';
  return call.cache.isContinued && call.columns === 1
    ? `d${call.rows}:${call.steps}${kept}`
    : `p${call.rows}x${call.columns}:${call.steps}${kept}`;
}

test('alone and unread, a short answer is one run that leaves no cache', async () => {
  const { calls, generate } = createBed();
  const tokens = await generate({ maxTokens: 8 }).done;
  assert.equal(tokens.length, 8);
  assert.equal(tokens.at(-1)?.finish, 'length');
  assert.deepEqual(calls.map(describeCall), ['p1x2:8']);
});

test('a long answer goes on in runs of sixteen steps, and the last one keeps no cache', async () => {
  const { calls, generate, forgotten } = createBed();
  await generate({ maxTokens: 40 }).done;
  assert.deepEqual(calls.map(describeCall), ['p1x2:16+', 'd1:16+', 'd1:8']);
  assert.deepEqual(
    calls.map(({ pastLengths }) => pastLengths[0]),
    [0, 17, 33],
  );
  assert.deepEqual(forgotten, [1]);
});

test('a stream begins with single tokens and goes on in small groups', async () => {
  const { calls, generate } = createBed();
  await generate({ maxTokens: 16, stream: true }).done;
  assert.deepEqual(calls.map(describeCall), ['p1x2:1+', 'd1:1+', 'd1:2+', 'd1:4+', 'd1:4+', 'd1:4']);
});

test('requests that come together start together, right-padded; one that comes later joins between runs', async () => {
  const late: { done?: Promise<GeneratedToken[]> } = {};
  const bed: Bed = createBed({
    onCall: (_, index) => {
      if (index === 1) late.done = bed.generate({ maxTokens: 6 }).done;
    },
  });
  await Promise.all([bed.generate({ ids: [5], maxTokens: 20, stream: true }).done, bed.generate({ ids: [5, 6, 7], maxTokens: 20 }).done]);
  await late.done;
  assert.deepEqual(bed.calls.slice(0, 4).map(describeCall), ['p2x3:1+', 'd2:1+', 'p1x2:1+', 'd3:2+']);
  assert.deepEqual([...(bed.calls[0]?.lengths ?? [])], [1, 3]);
});

test('a row leaves at its stop token or its limit, and the others go on', async () => {
  // The second row stops at its third token.
  const { calls, generate, forgotten } = createBed({ token: (call, row, step) => (call.rows === 2 && row === 1 && step === 2 ? STOP : 1) });
  const [long, stopped] = await Promise.all([generate({ maxTokens: 30 }).done, generate({ maxTokens: 30 }).done]);
  assert.deepEqual(
    stopped.map(({ id }) => id),
    [1, 1, STOP],
  );
  assert.equal(stopped.at(-1)?.finish, 'stop');
  assert.equal(long.length, 30);
  assert.deepEqual(calls.map(describeCall), ['p2x2:16+', 'd1:14']);
  assert.deepEqual(forgotten, [2, 1]);
});

test('prefills stay within rows, padded tokens and cache memory, in order of arrival', async () => {
  const rows = createBed({ limits: { maxBatchRows: 2 } });
  await Promise.all([3, 3, 3].map((maxTokens) => rows.generate({ maxTokens }).done));
  assert.deepEqual(rows.calls.map(describeCall), ['p2x2:3', 'p1x2:3']);
  const tokens = createBed({ limits: { prefillTokens: 60 } });
  await Promise.all([10, 40, 10].map((length) => tokens.generate({ ids: new Array<number>(length).fill(1), maxTokens: 2 }).done));
  assert.equal(describeCall(tokens.calls[0] ?? emptyCall), 'p1x10:2');
  assert.equal(describeCall(tokens.calls[1] ?? emptyCall), 'p1x40:2', 'two of forty would be eighty');
  const memory = createBed({ limits: { cacheBytes: 45 } });
  await Promise.all([20, 20, 20].map((maxTokens) => memory.generate({ maxTokens }).done));
  const together = memory.calls.map(({ rows: count }) => count);
  assert.deepEqual([together[0], Math.max(...together), together.at(-1)], [2, 2, 1], '22 tokens each: two fit into 45');
});

test('no run goes beyond the context', async () => {
  const { calls, generate } = createBed({ limits: { contextLength: 20, chunkTokens: () => 100 } });
  await Promise.all([generate({ ids: new Array<number>(17).fill(1), maxTokens: 3 }).done, generate({ maxTokens: 18 }).done]);
  for (const { pastLengths, lengths, steps } of calls)
    for (const [row, past] of pastLengths.entries()) assert.ok(past + (lengths[row] ?? 0) + steps - 1 <= 20);
});

test('a long prompt is fed in pieces between the steps of others, and only its last piece answers', async () => {
  const bed = createBed();
  const short = bed.generate({ maxTokens: 12, stream: true });
  const long = bed.generate({ ids: Array.from({ length: 130 }, (_, i) => i), maxTokens: 2 });
  assert.deepEqual((await long.done).length, 2);
  await short.done;
  const names = bed.calls.map(describeCall);
  assert.deepEqual(names.slice(0, 6), ['p1x2:1+', 'fill50+', 'd1:1+', 'fill50+', 'd1:2+', 'p1x30:1+']);
  const pieces = bed.calls.filter(({ cache }) => cache.keys[0] === 2 && cache.keys.length === 1);
  assert.deepEqual(
    pieces.flatMap(({ ids }) => [...ids].map(Number)).slice(0, 130),
    Array.from({ length: 130 }, (_, i) => i),
  );
  assert.deepEqual(
    pieces.slice(0, 3).map(({ pastLengths }) => pastLengths[0]),
    [0, 50, 100],
  );
});

test('scoring jobs and running rows take turns, and jobs among themselves', async () => {
  const { calls, generate, score } = createBed();
  const finished: string[] = [];
  await Promise.all([
    score(4).then(() => finished.push('long')),
    score(1).then(() => finished.push('short')),
    generate({ maxTokens: 9, stream: true }).done.then(() => finished.push('tokens')),
  ]);
  assert.deepEqual(calls.map(describeCall), ['p1x2:1+', 'd1:1+', 's', 'd1:2+', 's', 'd1:4+', 's', 'd1:1', 's', 's']);
  assert.deepEqual(finished, ['short', 'tokens', 'long']);
});

test('a cancelled task gets nothing more and its cache is let go, also when it is cancelled during its run', async () => {
  const holder: { task?: GenerationTask } = {};
  const bed: Bed = createBed({
    onCall: (_, index) => {
      if (index === 1 && holder.task !== undefined) bed.scheduler.cancel(holder.task);
    },
  });
  const cancelled = bed.generate({ maxTokens: 50, stream: true });
  let delivered = 0;
  const deliver = cancelled.task.deliver.bind(cancelled.task);
  cancelled.task.deliver = (tokens) => {
    delivered += tokens.length;
    deliver(tokens);
  };
  holder.task = cancelled.task;
  await bed.generate({ maxTokens: 10, stream: true }).done;
  assert.equal(delivered, 1, 'the first run’s token');
  assert.deepEqual(
    bed.calls.map(({ rows }) => rows),
    [2, 2, 1, 1, 1],
  );
  assert.equal(bed.forgotten[0], 1);
});

test('what is cancelled in the queue, in the middle of its prompt, or while it goes on, is in no run after the one under way', async () => {
  for (const phase of ['queue', 'prompt', 'tokens'] as const) {
    const holder: { task?: GenerationTask } = {};
    const bed = createBed({
      limits: { maxBatchRows: 1, chunkTokens: () => 10 },
      onCall: (_, index) => {
        if (index === 2 && holder.task !== undefined) bed.scheduler.cancel(holder.task);
      },
    });
    if (phase === 'queue') void bed.generate({ maxTokens: 60, stream: true });
    const ids = Array.from({ length: phase === 'prompt' ? 200 : 2 }, () => 1);
    const { task } = bed.generate({ ids, maxTokens: 60, stream: true });
    holder.task = task;
    const next = bed.generate({ ids: [7], maxTokens: 1 });
    assert.equal(bed.scheduler.waitingTokens, (phase === 'queue' ? 62 : 0) + ids.length + 60 + 2);
    await next.done;
    assert.equal(bed.scheduler.waitingTokens, 0);
    // The keys of rows count up as they come.
    const key = phase === 'queue' ? 2 : 1;
    assert.deepEqual(
      bed.calls.flatMap(({ cache, columns }, index) => (cache.keys.includes(key) ? [[index, columns > 2]] : [])),
      phase === 'queue' ? [] : [0, 1, 2].map((index) => [index, phase === 'prompt']),
      phase,
    );
    assert.equal(bed.forgotten.includes(key), phase !== 'queue');
  }
});

test('tokens that wait are those of prompts, answers and texts that someone waits for', async () => {
  const bed = createBed();
  const done = [
    bed.generate({ ids: [1, 2, 3], maxTokens: 10 }).done,
    bed.generate({ background: true, maxTokens: 50 }).done,
    bed.score(2, { rows: 4 }),
    bed.score(5, { isBackground: true }),
  ];
  assert.equal(bed.scheduler.waitingTokens, 13 + 2 * 4 * 3);
  await Promise.all(done);
  assert.equal(bed.scheduler.waitingTokens, 0);
});

test('a failed run fails its rows or its job, and the rest goes on', async () => {
  const bed: Bed = createBed({
    onCall: (call) => {
      if (call.rows === 2 || describeCall(call) === 's') throw new Error('no');
    },
  });
  const answers = await Promise.allSettled([bed.generate().done, bed.generate().done, bed.score(2)]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  assert.equal((await bed.generate().done).length, 8);
  assert.equal(bed.scheduler.waitingCount, 0);
});

test('numbers that are not finite fail the row', async () => {
  const { generate } = createBed({ logprob: Number.NaN });
  const mixture = [{ digest: digestOf('adapter'), weight: 2 }];
  await assert.rejects(generate({ mixture }).done, { code: 'NOT_FINITE', message: /under this mixture; use smaller weights\.$/ });
  await assert.rejects(generate().done, { code: 'NOT_FINITE', message: /without any adapter: the base model itself is at fault/ });
});

/** A scoring call, by the shape of `emptyCall`. */
const isScore = (call: RunCall): boolean => call.stopTokens.length === 1 && call.stopTokens[0] === -1n && call.columns === 3;

test('alone, background batches run as they were planned; beside rows they are cut and lose nothing', async () => {
  const alone = createBed();
  await alone.score(2, { isBackground: true, rows: 5 });
  assert.deepEqual(
    alone.calls.map(({ rows }) => rows),
    [5, 5],
  );
  const beside = createBed();
  const generated = beside.generate({ maxTokens: 200, stream: true });
  await Promise.all([generated.done, beside.score(2, { isBackground: true, rows: 5 })]);
  const scored = beside.calls.filter(isScore).map(({ rows }) => rows);
  assert.deepEqual(scored, [2, 2, 1, 2, 2, 1]);
});

test('beside rows, background scoring gets a quarter of the time, and never two runs in a row', async () => {
  const isScoreMs = (call: RunCall): number => (isScore(call) ? 50 : 10);
  const bed = createBed({ durationMs: isScoreMs, limits: { contextLength: 2_000 } });
  const generated = bed.generate({ maxTokens: 400, stream: true });
  const scoring = bed.score(40, { isBackground: true });
  await generated.done;
  const untilEnd = bed.calls.slice(0, bed.calls.findLastIndex((call) => !isScore(call)) + 1);
  const scoreMs = untilEnd.filter(isScore).length * 50;
  const decodeMs = untilEnd.filter((call) => !isScore(call)).length * 10;
  assert.ok(scoreMs > 0 && scoreMs <= decodeMs / 3 + 50, `${scoreMs} ms of scoring in ${decodeMs} ms of decoding`);
  for (const [i, call] of untilEnd.entries())
    if (isScore(call)) assert.ok(!isScore(untilEnd[i + 1] ?? call), 'a row waits for one run at most');
  await scoring;
});

test('scoring that someone waits for goes before the background, and the background does not shorten runs', async () => {
  const order: string[] = [];
  const bed = createBed();
  const background = bed.score(3, { isBackground: true }).then(() => order.push('background'));
  const foreground = bed.score(3).then(() => order.push('foreground'));
  await Promise.all([background, foreground]);
  assert.deepEqual(order, ['foreground', 'background']);

  const steps = createBed();
  await Promise.all([steps.generate({ maxTokens: 64 }).done, steps.score(1, { isBackground: true })]);
  assert.ok(
    steps.calls.some((call) => call.steps === 16),
    'unstreamed rows still take long runs',
  );
});

test('alone, rows of the background run as any others; beside a stream they get a quarter of the time, in short runs', async () => {
  const alone = createBed();
  await alone.generate({ maxTokens: 40, background: true }).done;
  assert.deepEqual(alone.calls.map(describeCall), ['p1x2:16+', 'd1:16+', 'd1:8']);

  const background: RunCall[] = [];
  const isBackground = (call: RunCall): boolean => call.cache.keys.some((key) => key > 1);
  const bed = createBed({
    limits: { contextLength: 2_000, cacheBytes: 1e6, chunkTokens: () => 2_000, prefillTokens: 2_000 },
    onCall: (call) => (isBackground(call) ? background.push(call) : undefined),
    durationMs: (call) => (isBackground(call) ? 50 : 10),
  });
  const streamed = bed.generate({ maxTokens: 400, stream: true });
  const answers = [1, 2, 3].map(() => bed.generate({ ids: [1, 2, 3, 4], maxTokens: 60, background: true }));
  await streamed.done;
  const untilEnd = bed.calls.slice(0, bed.calls.findLastIndex((call) => !isBackground(call)) + 1);
  const backgroundMs = untilEnd.filter(isBackground).length * 50;
  const streamedMs = untilEnd.filter((call) => !isBackground(call)).length * 10;
  assert.ok(backgroundMs > 0 && backgroundMs <= streamedMs / 3 + 50, `${backgroundMs} ms beside ${streamedMs} ms`);
  for (const [i, call] of untilEnd.entries()) {
    if (!isBackground(call)) continue;
    assert.ok(call.steps <= 4 && !isBackground(untilEnd[i + 1] ?? call), 'the stream waits for one short run at most');
  }
  assert.equal(background[0]?.rows, 1, 'six padded tokens at most beside the stream, so that two rows of four do not start together');
  for (const { done } of answers) assert.equal((await done).length, 60);
});

test('rows of the background that are cancelled leave at once, and those who wait for scores go before them', async () => {
  const bed = createBed();
  const order: string[] = [];
  const kept = bed.generate({ maxTokens: 60, background: true });
  const cancelled = bed.generate({ maxTokens: 60, background: true });
  bed.scheduler.cancel(cancelled.task);
  await Promise.all([kept.done.then(() => order.push('background')), bed.score(3).then(() => order.push('scores'))]);
  assert.deepEqual(order, ['scores', 'background']);
  assert.ok(bed.calls.every(({ rows }) => rows === 1));
  assert.equal(bed.scheduler.waitingCount, 0);
});

test('rows over long texts for an encoder wait, since every run reads all of them; a single one may be as long as it is', async () => {
  const bed = createBed({ limits: { sourceCells: 800, maxBatchRows: 8 } });
  const rowsOver = (length: number, count: number) => {
    const source = Array.from({ length }, () => 5);
    return Array.from({ length: count }, () => bed.generate({ ids: [1], ...{ source } }).done);
  };
  await Promise.all(rowsOver(20, 5));
  assert.equal(Math.max(...bed.calls.map(({ rows }) => rows)), 2, '2 · 20² = 800');
  bed.calls.length = 0;
  await Promise.all(rowsOver(60, 2));
  assert.equal(Math.max(...bed.calls.map(({ rows }) => rows)), 1);
});
