// `npm run bench -- soak`: a real hub under more load than it takes, with cancellations, bad requests, deadlines and workers that are killed.
//   npm run bench -- soak [--minutes 10] [--clients 48]
// Prints what became of the requests and a verdict; the exit status is 1 when a promise is broken. Linux only: it reads /proc.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { quantile, type Sample, slopeOf } from '../statistics.js';
import { runClient } from './clients.js';
import { HubProcess } from './hub-process.js';
import { floorOf } from './memory-floor.js';
import { Tally } from './tally.js';

const SETTINGS = {
  BRAID_LOG_LEVEL: 'fatal',
  BRAID_MAX_BATCH_ROWS: '16',
  BRAID_MAX_QUEUE: '16',
  BRAID_MAX_QUEUE_TOKENS: '1500',
};
/** Between two kills, on average as much as their mean. */
const KILL_MS = [8_000, 25_000] as const;
/** In these shares of the time nobody is killed: one worker lives long enough to show whether it grows. */
const QUIET = [0.4, 0.8] as const;
/** Before this share of the time caches and compilers still fill. */
const WARM = 0.25;
const SAMPLE_MS = 1_000;
/** What is under way may take so long once the last client has stopped asking. */
const SETTLE_MS = 10_000;

// A queue of sixteen behind a batch of sixteen is a few seconds of work, a restart about one more; twice that on a machine that others use.
const MAX_P99_MS = 10_000;
const MAX_REFUSAL_MS = 2_000;
const MAX_RECOVERY_MS = 10_000;
// On two cores about a kilobyte for each request that is sent, the refused ones included.
const MAX_GROWTH = 2 * 2 ** 20;

const { values: flags } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, clients: { type: 'string', default: '48' } },
  // The bench's own name.
  allowPositionals: true,
});
const minutes = readNumber('--minutes', flags.minutes, 0.5, 10_000);
const clients = Math.floor(readNumber('--clients', flags.clients, 1, 1_000));

process.stderr.write('Starting a hub with the bundled model and its adapters …\n');
const hub = await HubProcess.start(SETTINGS);
const tally = new Tally();
const stop = new AbortController();
const startedAt = performance.now();
/** Bytes after so many minutes. */
const hubMemory: Sample[] = [];
const workerMemory: Sample[] = [];
const share = (): number => (performance.now() - startedAt) / (minutes * 60_000);
const isQuiet = (at: number): boolean => at > QUIET[0] && at < QUIET[1];

const grounds = { url: hub.url, adapters: hub.adapters, tally, random: Math.random };
const running = Array.from({ length: clients }, () => runClient(grounds, stop.signal));
const watching = [killWorkers(), sampleMemory()];
await sleep(minutes * 60_000);
stop.abort();
await Promise.all([...running, ...watching]);

let left = await hub.countOpen();
for (const until = performance.now() + SETTLE_MS; left > 0 && performance.now() < until; left = await hub.countOpen()) await sleep(50);
const end = { hub: hub.self.residentBytes, worker: hub.worker?.residentBytes ?? 0 };
const { status, isWorkerGone } = await hub.stop();
print();

async function killWorkers(): Promise<void> {
  for (;;) {
    const [least, most] = KILL_MS;
    await sleep(least + Math.random() * (most - least), undefined, { signal: stop.signal }).catch(() => undefined);
    if (stop.signal.aborted) return;
    const { worker } = hub;
    if (isQuiet(share()) || worker === undefined) continue;
    tally.killed();
    process.kill(worker.pid, 'SIGKILL');
  }
}

async function sampleMemory(): Promise<void> {
  let said = 0;
  while (!stop.signal.aborted) {
    const at = share();
    const sample = (bytes: number): Sample => ({ at: at * minutes, value: bytes });
    hubMemory.push(sample(hub.self.residentBytes));
    const { worker } = hub;
    // Its first tenth is for the sessions and pages of a worker that has just begun.
    if (worker !== undefined && isQuiet(at) && at > QUIET[0] + 0.1) workerMemory.push(sample(worker.residentBytes));
    if (Math.floor(at * minutes) > said) {
      said = Math.floor(at * minutes);
      process.stderr.write(
        `${said} of ${minutes} minutes: ${tally.answered} answered, ${tally.kills} workers killed, hub ${(hub.self.residentBytes / 1e6).toFixed(0)} MB\n`,
      );
    }
    await sleep(SAMPLE_MS);
  }
}

function print(): void {
  const floors = { hub: floorOf(hubMemory.filter((sample) => sample.at >= WARM * minutes)), worker: floorOf(workerMemory) };
  const growth = { hub: slopeOf(floors.hub), worker: slopeOf(floors.worker) };
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const ms = (samples: readonly number[], part: number): string =>
    samples.length === 0 ? 'none' : `${quantile(samples, part).toFixed(0)} ms`;
  const describeFloor = (name: 'hub' | 'worker'): string =>
    `${mb(floors[name][0]?.value ?? 0)}, ${mb(floors[name].at(-1)?.value ?? 0)}: ${mb(growth[name])} a minute`;
  const rows: readonly (readonly [string, string])[] = [
    ['requests sent', String(tally.sent)],
    ['answered', `${tally.answered}, of them ${tally.retried} after being sent again`],
    ['given up after sixty refusals', String(tally.givenUp)],
    ['attempts refused: 429, 503', `${tally.full}, ${tally.unavailable}`],
    ['streams that ended with an error event', String(tally.cut)],
    ['left by their client, past their deadline, bad', `${tally.left}, ${tally.late}, ${tally.bad}`],
    ['accepted requests, p50 and p99', `${ms(tally.latenciesMs, 0.5)}, ${ms(tally.latenciesMs, 0.99)}`],
    ['a refusal for a full queue, p50 and p99', `${ms(tally.refusalsMs, 0.5)}, ${ms(tally.refusalsMs, 0.99)}`],
    ['workers killed, longest time to the next answer', `${tally.kills}, ${tally.longestRecoveryMs.toFixed(0)} ms`],
    ['memory of the hub, warm: its floor first and last', describeFloor('hub')],
    ['memory of the worker, within its longest life', describeFloor('worker')],
    ['memory of both at the end', `${mb(end.hub)}, ${mb(end.worker)}`],
    ['rows left', String(left)],
  ];
  const p99 = quantile(tally.latenciesMs, 0.99);
  const broken = [
    ...tally.blames,
    ...(tally.answered === 0 ? ['nothing was answered'] : []),
    ...(p99 > MAX_P99_MS ? [`p99 of accepted requests is above ${MAX_P99_MS} ms`] : []),
    ...(quantile(tally.refusalsMs, 0.99) > MAX_REFUSAL_MS ? [`refusals take more than ${MAX_REFUSAL_MS} ms`] : []),
    ...(tally.longestRecoveryMs > MAX_RECOVERY_MS ? [`a worker was not back in ${MAX_RECOVERY_MS} ms`] : []),
    ...(growth.hub > MAX_GROWTH || growth.worker > MAX_GROWTH ? [`memory grows by more than ${mb(MAX_GROWTH)} a minute`] : []),
    ...(left > 0 ? [`${left} rows are left`] : []),
    ...(status === 0 ? [] : [`the hub ended with ${status}`]),
    ...(isWorkerGone ? [] : ['a worker outlived its hub']),
  ];
  process.stdout.write(
    [
      `${minutes} minutes, ${clients} clients, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`,
      '',
      '| what | |',
      '| --- | --- |',
      ...rows.map((row) => `| ${row.join(' | ')} |`),
      '',
      broken.length === 0 ? 'Every promise was kept.' : `Broken: ${broken.join('; ')}.`,
      '',
    ].join('\n'),
  );
  process.exitCode = broken.length === 0 ? 0 : 1;
}

function readNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`${flag} must be a number from ${least} to ${most}, not ${text}`);
  return value;
}
