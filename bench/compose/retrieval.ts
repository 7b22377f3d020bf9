// `npm run bench -- retrieval`: are the adapters that a search over all real ones takes among the first 32 of ten thousand, and what do those
// cost that are not?
//   npm run bench -- retrieval [--picks FILE] [--adapters 10000] [--seeds 0,1] [--tasks a,b] [--without-worth] [--without-time] [--json]
// FILE has JSON lines {task, seed, picks: [names], examples?: [line numbers]}; without it the weights of `fs200` in the bed's compose.jsonl
// count, of |w| ≥ 0.3. Needs the real bed (a `shared` folder beside the repository, or BRAID_SHARED) and its model in the cache.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MOST_RETRIEVED, retrieve } from '#src/compose/stages/retrieve.js';
import { digestOf, parseRepoName, parseVersion } from '#src/ids/ids.js';
import { compareNeighbours, type Neighbour } from '#src/search/likeness/signature-index.js';
import { REFERENCE_TEXTS } from '#src/signatures/signature-method.js';
import { createExampleRows, createTextRows } from '#src/signatures/signature-rows.js';
import { createReference, createSignature, dotProduct } from '#src/signatures/signature-vector.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { parseExamples, tokenizeExamples, type TokenizedExample } from '#src/tokenizer/examples.js';
import { openRealBed } from '#test/real/bed.js';
import { openBedEngine } from '../bench-engine.js';
import { measureTime, type RetrievalTime, writeTime } from './retrieval-time.js';
import { measureRun, type RunWorth, writeWorth } from './retrieval-worth.js';
import { LossMemory, measureWorth } from './selection-worth.js';
import { openEffects } from './effect-order.js';
import { embedTasks } from './embed-tasks.js';
import { readRuns, type Run } from './retrieval-runs.js';
import { createSyntheticSignatures } from './synthetic-adapters.js';
import { createSyntheticKinds, type TaskExample } from './synthetic-tasks.js';

const EXAMPLES_A_KIND = 4;
const HELD_OUT = 50;
/** Adapters that a wider funnel would try on the model before a search; what is not among them it cannot find. */
const WIDE = 256;
const SEED = 1;

const { values: flags } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== 'retrieval'),
  options: {
    picks: { type: 'string' },
    adapters: { type: 'string', default: '10000' },
    seeds: { type: 'string' },
    tasks: { type: 'string' },
    'without-worth': { type: 'boolean', default: false },
    'without-time': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const adapterCount = Number(flags.adapters);
if (!Number.isInteger(adapterCount) || adapterCount < 22)
  throw new Error(`--adapters must be a whole number from 22, not ${flags.adapters}`);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const bed = openRealBed();
const codec = await loadTextCodec(bed.modelDirectory);
const names = bed.candidates;
const digests = names.map((name) => digestOf(name));
const copies = names.map((name) => digestOf('copy', name));
const engine = await openBedEngine(bed.modelDirectory, (digest) =>
  bed.adapterDirectory(names[Math.max(digests.indexOf(digest), copies.indexOf(digest))] ?? ''),
);
const cacheDirectory = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid', 'bench-retrieval');
const embedder = { engine, codec, cacheDirectory, say };

say('Embedding the real adapters’ and tasks’ examples …');
const recorded = join(bed.shared, 'expected', 'compose.jsonl');
const runs = readRuns(flags.picks ?? recorded, recorded).filter(
  ({ task, seed }) => isWanted(flags.tasks, task) && isWanted(flags.seeds, String(seed)),
);
if (runs.length === 0) throw new Error(`no run has --tasks ${flags.tasks ?? 'any'} and --seeds ${flags.seeds ?? 'any'}`);
const reference = createReference(await engine.embed(createTextRows(REFERENCE_TEXTS, codec, engine)));
const real = await embedTasks(
  names.map((name) => readExamples(join(bed.shared, 'adapters', name, 'examples.jsonl'))),
  embedder,
);
const tasks = await embedTasks(
  runs.map((run) => examplesOf(run)),
  embedder,
);
const kinds = createSyntheticKinds(EXAMPLES_A_KIND, SEED);
say(`Embedding ${kinds.length} kinds of synthetic tasks (once; then they are in the cache) …`);
const synthetic = await embedTasks(
  kinds.map(({ examples }) => examples),
  embedder,
);
const realNeighbours = real.map((vectors, i) => toNeighbour(`real/${names[i] ?? ''}`, createSignature(vectors, reference)));
const others = createSyntheticSignatures(synthetic, reference, adapterCount - names.length, SEED).map((vector, i) =>
  toNeighbour(`synthetic/a${i}`, vector),
);
const everyone = [...realNeighbours, ...others];
const table = [
  await measure('22 real ones, first 8', realNeighbours, 8),
  await measure(`${adapterCount}, first ${MOST_RETRIEVED}`, everyone, MOST_RETRIEVED),
  await measure(`${adapterCount}, first ${MOST_RETRIEVED}, nearest alone`, everyone, MOST_RETRIEVED, true),
  await measure(`${adapterCount}, first ${WIDE}, nearest alone`, everyone, WIDE, true),
];
const worth = flags['without-worth'] ? [] : await measureWorthOfRuns();
const time = flags['without-time'] ? undefined : await measureTimeOfFirst();
await engine.close();
print();

/** Adapters offered and what they are worth, run by run. */
async function measureWorthOfRuns(): Promise<RunWorth[]> {
  const memory = new LossMemory(join(cacheDirectory, 'losses.jsonl'));
  const effects = await openEffects(engine, bed.modelDirectory, digests, createTextRows(REFERENCE_TEXTS, codec, engine));
  const measured: RunWorth[] = [];
  for (const [i, run] of runs.entries()) {
    const signature = createSignature(tasks[i] ?? [], reference);
    const order = byLikeness(signature, everyone).map(({ name }) => name);
    const found = await findFirst(signature, everyone, MOST_RETRIEVED, false);
    const wide = new Set<string>(order.slice(0, WIDE));
    const poolOf = (adapters: ReadonlySet<string>): number[] => [...names.keys()].filter((n) => adapters.has(`real/${names[n] ?? ''}`));
    const offers = [
      { title: `found in the first ${MOST_RETRIEVED}`, pool: poolOf(found.adapters) },
      { title: `found in the nearest ${WIDE}`, pool: poolOf(wide) },
    ];
    const ranks = realNeighbours.map(({ name }) => order.indexOf(name) + 1);
    const byEffect = await effects.order(createExampleRows(tokenize(examplesOf(run)), codec, engine));
    const task = await measureWorth({
      engine,
      candidates: digests,
      examples: tokenize(examplesOf(run)),
      heldOut: tokenize(bed.test(run.task).slice(0, HELD_OUT)),
      memory,
    });
    measured.push(await measureRun({ ...run, offers, ranks, byEffect }, names, task));
    say(`  ${measured.length} of ${runs.length} runs: ${run.task}, seed ${run.seed}`);
  }
  return measured;
}

async function measureTimeOfFirst(): Promise<RetrievalTime> {
  say('Composing over the retrieved and over the real ones, for the time it takes …');
  const examples = examplesOf(runs[0]);
  const tokenized = tokenize(examples);
  return measureTime({
    engine,
    candidates: digests,
    copies,
    examples: tokenized,
    retrieve: async () => {
      const embedded = await engine.embed(createExampleRows(tokenized, codec, engine));
      await findFirst(createSignature(embedded, reference), everyone, MOST_RETRIEVED, false);
    },
  });
}

function examplesOf(run: Run | undefined): TaskExample[] {
  const train = run === undefined ? [] : bed.train(run.task);
  return (run?.examples ?? []).flatMap((line) => train[line] ?? []);
}

function tokenize(examples: readonly TaskExample[]): TokenizedExample[] {
  return tokenizeExamples(parseExamples(examples), codec, engine.contextLength);
}

function isWanted(list: string | undefined, value: string): boolean {
  return list === undefined || list.split(',').includes(value);
}

function byLikeness(vector: Float32Array, all: readonly Neighbour[]): Neighbour[] {
  return all.map((neighbour) => ({ ...neighbour, similarity: dotProduct(vector, neighbour.vector) })).sort(compareNeighbours);
}

interface Row {
  readonly bed: string;
  readonly runs: number;
  /** Runs whose picks were all found. */
  readonly complete: number;
  /** Mean share of a run's picks. */
  readonly recall: number;
  /** Runs whose heaviest pick was found. */
  readonly heaviest: number;
  readonly milliseconds: number;
  readonly missed: readonly string[];
}

/** @param isPlain the nearest as they come, for comparison */
async function measure(title: string, all: readonly Neighbour[], limit: number, isPlain = false): Promise<Row> {
  const found: Awaited<ReturnType<typeof findFirst>>[] = [];
  for (const vectors of tasks) found.push(await findFirst(createSignature(vectors, reference), all, limit, isPlain));
  const hits = runs.map(({ picks }, i) => picks.map((name) => found[i]?.adapters.has(`real/${name}`) ?? false));
  const share = (flagsOfRun: readonly boolean[]): number => flagsOfRun.filter(Boolean).length / Math.max(1, flagsOfRun.length);
  return {
    bed: title,
    runs: runs.length,
    complete: share(hits.map((one) => one.every(Boolean))),
    recall: hits.reduce((sum, one) => sum + (one.length === 0 ? 1 : share(one)), 0) / runs.length,
    heaviest: share(hits.map((one) => one[0] ?? true)),
    milliseconds: found.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / runs.length,
    missed: runs.flatMap(({ task, seed, picks }, i) =>
      picks.filter((_, p) => hits[i]?.[p] === false).map((name) => `${task}/${seed}: ${name}`),
    ),
  };
}

async function findFirst(
  signature: Float32Array,
  all: readonly Neighbour[],
  limit: number,
  isPlain: boolean,
): Promise<{ adapters: ReadonlySet<string>; milliseconds: number }> {
  const start = performance.now();
  const findNearest = (vector: Float32Array, wanted: number) =>
    Promise.resolve({ considered: all.length, nearest: byLikeness(vector, all).slice(0, wanted), kind: 'exact' as const });
  const unused = () => Promise.reject(new Error('no words here'));
  const adapters = isPlain
    ? (await findNearest(signature, limit)).nearest.map(({ name }) => name)
    : (await retrieve({ signature, limit }, { findNearest, compare: unused, findByWords: unused })).adapters.map(({ adapter }) => adapter);
  return { adapters: new Set<string>(adapters), milliseconds: performance.now() - start };
}

function toNeighbour(name: string, vector: Float32Array): Neighbour {
  return { name: parseRepoName(name), version: parseVersion('1.0.0'), digest: digestOf(name), similarity: 0, vector };
}

function readExamples(file: string): TaskExample[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as TaskExample);
}

function print(): void {
  if (flags.json) {
    process.stdout.write(
      `${JSON.stringify({ picks: runs.reduce((sum, { picks }: Run) => sum + picks.length, 0), table, worth, time }, null, 2)}\n`,
    );
    return;
  }
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const lines = table.map(
    (row) =>
      `| ${row.bed} | ${percent(row.complete)} | ${percent(row.recall)} | ${percent(row.heaviest)} | ${row.milliseconds.toFixed(0)} ms |`,
  );
  process.stdout.write(
    [
      `${runs.length} runs, ${kinds.length} kinds of synthetic tasks`,
      '',
      '| adapters | runs with all picks | picks found | heaviest pick found | time |',
      '| --- | --- | --- | --- | --- |',
      ...lines,
      '',
      ...(worth.length === 0 ? [] : [writeWorth(worth, names.length)]),
      ...(time === undefined ? [] : [writeTime(time)]),
    ].join('\n'),
  );
}
