// Many adapters asked for in turn under a memory that holds few: what a switch takes, what stays in memory, and whether each answer is the
// adapter's own.
import { mapAtATime } from '#src/runtime/map-at-a-time.js';
import { createTinyRandom } from '#test/fixtures/tiny-model.js';
import { residentBytesOf } from '../process-memory.js';
import { slopeOf } from '../statistics.js';
import { answer, openPagesBed, type PagesAnswer, type PagesBed } from './pages-bed.js';

export interface SwitchOptions {
  readonly modelDirectory: string;
  readonly adapters: number;
  readonly switches: number;
  /** Adapters that the memory holds. */
  readonly held: number;
  readonly rank: number;
  readonly say: (line: string) => void;
}

export interface SwitchFigures {
  readonly adapterBytes: number;
  readonly loads: number;
  /** Requests for an adapter that was not there, each of which is one load. */
  readonly absent: number;
  readonly evictions: number;
  readonly adaptersHeld: number;
  readonly residentMs: readonly number[];
  readonly absentMs: readonly number[];
  readonly warmBytes: number;
  readonly endBytes: number;
  readonly bytesPerThousand: number;
  readonly checked: number;
  readonly wrong: number;
  /** Checked adapters whose answer is also another's: there a mix-up would go unseen. */
  readonly alike: number;
}

interface Checked {
  readonly adapter: number;
  readonly found: PagesAnswer;
}

const TOKENS = 4;
// Of the switches, before memory is measured: arrays grow to what they will be, and so does the heap.
const WARM_SHARE = 0.3;
const MEMORY_SAMPLES = 100;
// Two in twenty: one of an absent adapter, one of a resident one.
const CHECKED_EVERY = 20;
const CHECKED_PLACES = [0, 7];
const AT_A_TIME = 16;
const TOLERANCE = 1e-4;

export async function measureSwitches(options: SwitchOptions): Promise<SwitchFigures> {
  const { modelDirectory, adapters: count, switches, held, rank, say } = options;
  const bed = await openPagesBed(modelDirectory, { count: held, rank });
  const checked: Checked[] = [];
  const samples: number[] = [];
  const times = { resident: new Float64Array(switches >> 1), absent: new Float64Array((switches + 1) >> 1) };
  const warmUp = Math.floor(switches * WARM_SHARE);
  const interval = Math.max(1, Math.floor((switches - warmUp) / MEMORY_SAMPLES));
  const random = createTinyRandom(1);
  let figures;
  try {
    for (let i = 0; i < switches; i++) {
      // One that was asked for long ago, and one of the last few, in turn.
      const isAbsent = i % 2 === 0;
      const last = i >> 1;
      const back = isAbsent ? 0 : Math.floor(((random() + 1) / 2) * Math.min(last + 1, held >> 1));
      const adapter = (last - back) % count;
      const start = performance.now();
      const found = await answer(bed.engine, bed.adapters.add(adapter, rank), TOKENS);
      (isAbsent ? times.absent : times.resident)[last] = performance.now() - start;
      if (CHECKED_PLACES.includes(i % CHECKED_EVERY)) checked.push({ adapter, found });
      if (i >= warmUp && (i - warmUp) % interval === 0) samples.push(measureResidentBytes(bed));
      if ((i + 1) % 1000 === 0) say(`${i + 1} of ${switches} switches …`);
    }
    const absent = times.absent.length;
    const adaptersHeld = bed.engine.residentAdapterBytes / bed.adapterBytes;
    figures = {
      adapterBytes: bed.adapterBytes,
      loads: bed.adapters.loads,
      absent,
      adaptersHeld,
      evictions: bed.adapters.loads - adaptersHeld,
    };
    say(`${AT_A_TIME} at a time …`);
    checked.push(...(await answerTogether(bed, options)));
  } finally {
    await bed.engine.close();
  }
  say('Each checked adapter alone …');
  return {
    ...figures,
    residentMs: [...times.resident],
    absentMs: [...times.absent],
    warmBytes: samples[0] ?? NaN,
    endBytes: samples.at(-1) ?? NaN,
    bytesPerThousand: slopeOf(samples.map((value, i) => ({ at: (i * interval) / 1000, value }))),
    ...(await check(checked, options)),
  };
}

/** Of this process and the engine's worker, after what is garbage here is gone. */
function measureResidentBytes({ engine: { workerPid } }: PagesBed): number {
  globalThis.gc?.();
  return process.memoryUsage().rss + (workerPid === undefined ? 0 : (residentBytesOf(workerPid) ?? 0));
}

/** A tenth as many requests again, many at a time, so that those in flight stand in the way of those that come. */
async function answerTogether(bed: PagesBed, { adapters: count, switches, rank }: SwitchOptions): Promise<Checked[]> {
  const wanted = Array.from({ length: Math.floor(switches / 10) }, (_, i) => (i * 7) % count);
  return mapAtATime(wanted, AT_A_TIME, async (adapter) => ({
    adapter,
    found: await answer(bed.engine, bed.adapters.add(adapter, rank), TOKENS),
  }));
}

/** Against an engine that holds all of them and gives up none. */
async function check(
  checked: readonly Checked[],
  { modelDirectory, adapters: count, rank }: SwitchOptions,
): Promise<Pick<SwitchFigures, 'checked' | 'wrong' | 'alike'>> {
  const bed = await openPagesBed(modelDirectory, { count, rank });
  const own = new Map<number, PagesAnswer>();
  try {
    for (const { adapter } of checked)
      if (!own.has(adapter)) own.set(adapter, await answer(bed.engine, bed.adapters.add(adapter, rank), TOKENS));
  } finally {
    await bed.engine.close();
  }
  const answers = [...own.values()];
  return {
    checked: checked.length,
    wrong: checked.filter(({ adapter, found }) => !isSame(found, own.get(adapter))).length,
    alike: answers.filter((one, i) => answers.some((other, j) => i !== j && isSame(one, other))).length,
  };
}

function isSame(one: PagesAnswer, other: PagesAnswer | undefined): boolean {
  return (
    other !== undefined &&
    one.ids.length === other.ids.length &&
    one.ids.every((id, i) => id === other.ids[i]) &&
    one.logprobs.every((logprob, i) => Math.abs(logprob - (other.logprobs[i] ?? NaN)) <= TOLERANCE)
  );
}
