// Inside a worker: which sessions are open when, and how a worker's other end starts, crashes and restarts it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { createScoreCall } from '#src/runtime/run-calls.js';
import { WorkerLink } from '#src/runtime/worker-link.js';
import type { ClassSlots, RunCall, WorkerSettings } from '#src/runtime/worker/protocol.js';
import type { ScorePrecision } from '#src/runtime/engine.js';
import { SessionKeeper } from '#src/runtime/worker/session-keeper.js';
import { HALF_TOLERANCE } from '#test/fixtures/golden-agreement.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';
import { isAlive } from '#test/fixtures/worker-processes.js';

const directory = mkdtempSync(join(tmpdir(), 'braid-worker-'));
let settings: WorkerSettings;

before(() => {
  writeTinyModel(directory);
  const { config, tensors } = readModelDirectory(directory);
  settings = {
    directory,
    config: parseModelConfig(config),
    tensors,
    adapterClasses: [],
    provider: 'cpu',
    precision: 'float32',
    threads: 1,
    pageRank: 8,
    idleSessionMs: 0,
  };
});
after(() => rmSync(directory, { recursive: true }));

/** Closed after the test, also when it fails: a worker keeps its process alive. */
function createLink(t: TestContext, losses: Error[]): WorkerLink {
  const link = new WorkerLink(settings, (error) => losses.push(error));
  t.after(() => link.close());
  return link;
}

function createCall(application: RunCall['application'], lora: readonly ClassSlots[] = [], precision: ScorePrecision = 'float32'): RunCall {
  return createScoreCall([{ row: 0, start: 0, end: 3, from: 1, isLast: true }], () => [1, 2, 3, 4], 1, {
    application,
    precision,
    topLogprobs: 0,
    lora,
  });
}

test('one session at a time serves the runs, grows with the adapters, and the merged and the int8 one go when they are idle', async () => {
  const keeper = new SessionKeeper(ort, settings);
  const base = await keeper.run(createCall('factored'));
  assert.deepEqual(keeper.open, ['factored']);

  const modules = listLinearModules(settings.config).filter((module) => module.class === 'q_proj');
  const adapter = {
    modules: modules.map(({ layer, dIn, dOut }) => ({
      layer,
      class: 'q_proj' as const,
      rank: 8,
      scale: 2,
      a: Float32Array.from({ length: 8 * dIn }, (_, i) => Math.sin(i)),
      b: Float32Array.from({ length: dOut * 8 }, (_, i) => Math.cos(i)),
    })),
  };
  keeper.load({ pages: new Map([['q_proj', [1]]]), gains: new Map(), adapter });
  const lora = [
    { class: 'q_proj' as const, groups: 1, slotsPerGroup: 1, slots: BigInt64Array.of(1n), scale: new Float32Array(8).fill(0.5) },
  ];
  const factored = await keeper.run(createCall('factored', lora));
  const merged = await keeper.run(createCall('merged', lora));
  assert.deepEqual(keeper.open, ['factored', 'merged']);
  assert.deepEqual(await keeper.run(createCall('factored')), base, 'the base, in the session that knows adapters');
  for (const [i, logprob] of merged.logprobs.entries()) {
    assert.ok(Math.abs(logprob - (factored.logprobs[i] ?? Number.NaN)) < 1e-4);
  }
  assert.ok(
    merged.logprobs.some((logprob, i) => Math.abs(logprob - (base.logprobs[i] ?? Number.NaN)) > 1e-2),
    'the adapter matters',
  );
  const quantized = await keeper.run(createCall('factored', lora, 'estimate'));
  assert.deepEqual(keeper.open, ['factored', 'merged', 'estimate']);
  for (const [i, logprob] of quantized.logprobs.entries()) {
    const difference = Math.abs(logprob - (factored.logprobs[i] ?? Number.NaN));
    assert.ok(difference > 0 && difference < 0.1, `int8 differs by ${difference}`);
  }
  await keeper.releaseIdle();
  assert.deepEqual(keeper.open, ['factored']);
  assert.deepEqual(await keeper.run(createCall('merged', lora)), merged, 'and comes back');
  await keeper.releaseAll();
  assert.deepEqual(keeper.open, []);
});

test('the session that generates stays open, in float16 too, and the float32 one goes when it is idle', async () => {
  const keeper = new SessionKeeper(ort, { ...settings, precision: 'float16' });
  const [exact, half] = [await keeper.run(createCall('factored')), await keeper.run(createCall('factored', [], 'float16'))];
  assert.deepEqual(keeper.open, ['factored', 'float16']);
  for (const [i, logprob] of half.logprobs.entries()) {
    const difference = Math.abs(logprob - (exact.logprobs[i] ?? Number.NaN));
    assert.ok(difference > 0 && difference < HALF_TOLERANCE, `float16 differs by ${difference}`);
  }
  await keeper.releaseIdle();
  assert.deepEqual(keeper.open, ['float16']);
  await keeper.releaseAll();
});

test('a worker starts once, answers in order, and reports what it cannot do without dying', async (t) => {
  const losses: Error[] = [];
  const link = createLink(t, losses);
  await assert.rejects(link.request('forget', []), { code: 'WORKER_CRASHED' }, 'it does not run yet');
  await Promise.all([link.start(), link.start()]);
  const results = await Promise.all([
    link.request('run', createCall('factored')),
    link.request('forget', [7]),
    link.request('run', createCall('factored')),
  ]);
  assert.deepEqual(results[0], results[2]);
  const lost: RunCall = { ...createCall('factored'), cache: { keys: [5], isContinued: true, isKept: false } };
  await assert.rejects(link.request('run', lost), { code: 'RUN_FAILED', message: /row 5 has no stored cache/ });
  assert.deepEqual(await link.request('run', createCall('factored')), results[0]);
  await link.close();
  assert.deepEqual(losses, [], 'an end that was asked for is no loss');
  await assert.rejects(link.start(), { code: 'ENGINE_CLOSED' });
});

test('a worker that keeps dying is started again ever later, until it has run something', async (t) => {
  const losses: Error[] = [];
  const link = createLink(t, losses);
  const waits: number[] = [];
  for (let round = 0; round < 3; round++) {
    await link.start();
    const open = link.request('crash', {});
    const queued = link.request('run', createCall('factored'));
    await assert.rejects(open, { code: 'WORKER_CRASHED', retryable: true });
    await assert.rejects(queued, { code: 'WORKER_CRASHED' });
    assert.equal(losses.length, round + 1);
    const lost = performance.now();
    await link.start();
    waits.push(performance.now() - lost);
    if (round === 1) await link.request('run', createCall('factored'));
  }
  const [first = 0, second = 0] = waits;
  assert.ok(first >= 240 && second >= 490, `waited ${waits.join(', ')} ms`);
  assert.equal(link.backOffMs, 500, 'the second loss was forgotten when something ran');
  await link.close();
});

test('a load that cannot be done loses the worker rather than run on doubtful pages', async (t) => {
  const losses: Error[] = [];
  const link = createLink(t, losses);
  await link.start();
  const adapter = { modules: [{ layer: 99, class: 'q_proj' as const, rank: 1, scale: 1, a: new Float32Array(1), b: new Float32Array(1) }] };
  await assert.rejects(link.request('load', { pages: new Map([['q_proj', [1]]]), gains: new Map(), adapter }), { code: 'WORKER_CRASHED' });
  assert.equal(losses.length, 1);
  await link.close();
});

async function untilGone(pid: number): Promise<void> {
  for (let tries = 0; isAlive(pid); tries++) {
    assert.ok(tries < 500, `worker ${pid} is still there`);
    await sleep(20);
  }
}

for (const [end, expected] of [
  ['7', [7, null]],
  ['SIGKILL', [null, 'SIGKILL']],
] as const)
  test(`a process that ends by ${end} while its worker is inside a run leaves no worker behind`, async () => {
    const script = fileURLToPath(new URL('../fixtures/end-during-run.js', import.meta.url));
    const child = spawn(process.execPath, [script, directory, end], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [pid, errors] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (pid += data.toString()));
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.deepEqual([exitCode, signal], expected, errors);
    assert.ok(Number(pid) > 0, 'it said which its worker is');
    await untilGone(Number(pid));
  });

test('what a worker is killed by is said, what a terminal sends to all is not its end, and closing does not wait for the run', async (t) => {
  const losses: Error[] = [];
  const link = createLink(t, losses);
  await link.start();
  const { pid = 0 } = link;
  if (existsSync('/proc/self/cmdline')) assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /^braid worker: /);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  await link.request('run', createCall('factored'));
  assert.deepEqual(losses, []);
  process.kill(pid, 'SIGKILL');
  await assert.rejects(link.request('run', createCall('factored')), {
    code: 'WORKER_CRASHED',
    status: 503,
    message: /SIGKILL: probably out of memory/,
  });
  await link.start();
  assert.notEqual(link.pid, pid);
  const { pid: second = 0 } = link;
  const open = Promise.allSettled(Array.from({ length: 2_000 }, () => link.request('run', createCall('factored'))));
  await link.close();
  assert.ok(!isAlive(second));
  assert.ok((await open).some((answer) => answer.status === 'rejected' && (answer.reason as { code: string }).code === 'ENGINE_CLOSED'));
});

test('a worker that dies five times in a row is not waited for: the answer says at once when to come again', async (t) => {
  const losses: Error[] = [];
  const link = createLink(t, losses);
  for (let round = 0; round < 5; round++) {
    await link.start();
    await link.crash();
  }
  const asked = performance.now();
  await assert.rejects(link.start(), {
    code: 'WORKER_KEEPS_CRASHING',
    status: 503,
    retryable: true,
    retryAfterSeconds: 4,
    message: /stopped 5 times in a row .* exit code 1/,
  });
  assert.ok(performance.now() - asked < 100);
  await sleep(2_200);
  await link.start();
  await link.request('run', createCall('factored'));
  assert.equal(link.backOffMs, 250, 'forgotten with the first answer');
});
