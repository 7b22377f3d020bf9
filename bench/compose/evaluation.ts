// `npm run bench -- evaluation`: what one evaluation of a weight vector takes on the real bed's tasks, LoraHub's loop on PEFT in the same run.
//   npm run bench -- evaluation [--rounds 3] [--tasks a,b] [--json]
// Both read the same five examples as the same tokens, under the same 22 adapters and weights. Needs the real test bed and the peer's Python.
import { dirname, join } from 'node:path';
import { cpus, homedir } from 'node:os';
import { parseArgs } from 'node:util';
import { meanLoss } from '#src/compose/evaluation-ledger.js';
import { createMixtureEvaluation } from '#src/compose/score-mixtures.js';
import { digestOf } from '#src/ids/ids.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { Precision } from '#src/runtime/engine.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { parseExamples, type TokenizedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { openRealBed } from '#test/real/bed.js';
import { openBedEngine } from '../bench-engine.js';
import { findPython, PeftPeer } from '../peft-peer.js';
import { median } from '../statistics.js';
import { DRAWS } from './draws.js';

/** Points of one batch, as a search asks for. */
const POPULATION = 4;
const SEED = '0';

const { values: flags } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== 'evaluation'),
  options: { rounds: { type: 'string', default: '3' }, tasks: { type: 'string' }, json: { type: 'boolean', default: false } },
});

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const bed = openRealBed();
const names = bed.candidates;
const digests = names.map((name) => digestOf(name));
const python = findPython(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid'), say);
if (python === undefined) process.exit(1);
say('Starting the peer (PEFT on PyTorch) …');
const adaptersDirectory = dirname(bed.adapterDirectory(names[0] ?? ''));
const peer = await PeftPeer.start(python, { modelDirectory: bed.modelDirectory, adaptersDirectory, adapterNames: names });
const engine = await openBedEngine(bed.modelDirectory, (digest) => bed.adapterDirectory(names[digests.indexOf(digest)] ?? ''));
const codec = await loadTextCodec(bed.modelDirectory);
const random = SeededRandom.fromSeed(1);

interface Timed {
  readonly task: string;
  readonly rows: number;
  /** Of all rows, and of all rows padded to the longest. */
  readonly tokens: number;
  readonly padded: number;
  readonly ms: Readonly<Record<Way, readonly number[]>>;
  /** |Δ loss| between LoraHub's loop and the same point in factor space here. */
  readonly deviation: number;
}

const WAYS = ['peer', 'one', 'population', 'int8', 'int8Population'] as const;
type Way = (typeof WAYS)[number];

const drawWeights = (): number[] => names.map(() => random.uniform() - 0.5);

async function losses(examples: readonly TokenizedExample[], vectors: readonly number[][], space: Space, precision: Precision) {
  const evaluate = createMixtureEvaluation({ engine, candidates: digests, examples, space, precision });
  return evaluate(vectors.map((weights) => ({ weights, examples: [...examples.keys()] })));
}

/** Milliseconds for each of so many new weight vectors, in one batch. */
async function time(examples: readonly TokenizedExample[], population: number, precision: Precision): Promise<number> {
  const vectors = Array.from({ length: population }, drawWeights);
  const startedAt = performance.now();
  await losses(examples, vectors, 'delta', precision);
  return (performance.now() - startedAt) / population;
}

const results: Timed[] = [];
for (const task of flags.tasks?.split(',') ?? bed.tasks) {
  const train = bed.train(task);
  const examples = tokenizeExamples(parseExamples((DRAWS[SEED] ?? []).flatMap((line) => train[line] ?? [])), codec, engine.contextLength);
  const ms: Record<Way, number[]> = { peer: [], one: [], population: [], int8: [], int8Population: [] };
  let deviation = 0;
  for (let round = -1; round < Number(flags.rounds); round++) {
    const weights = drawWeights();
    const theirs = await peer.score(examples, weights);
    const [ours = []] = await losses(examples, [weights], 'factor', 'float32');
    deviation = Math.max(deviation, Math.abs(theirs.loss - meanLoss(ours)));
    const found: Record<Way, number> = {
      peer: theirs.ms,
      one: await time(examples, 1, 'float32'),
      population: await time(examples, POPULATION, 'float32'),
      int8: await time(examples, 1, 'int8'),
      int8Population: await time(examples, POPULATION, 'int8'),
    };
    // The first round warms both up.
    if (round >= 0) for (const way of WAYS) ms[way].push(found[way]);
  }
  const lengths = examples.map(({ ids }) => ids.length);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  results.push({ task, rows: examples.length, tokens, padded: examples.length * Math.max(...lengths), ms, deviation });
  if (flags.json) process.stdout.write(`${JSON.stringify(results.at(-1))}\n`);
  say(`${task}: ${WAYS.map((way) => `${way} ${median(ms[way]).toFixed(0)} ms`).join(', ')}`);
}
peer.close();
await engine.close();
if (!flags.json) print();

function print(): void {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;
  const ratiosOf = (way: Way): number[] => results.map(({ ms }) => median(ms.peer) / median(ms[way]));
  process.stdout.write(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}; medians of ${flags.rounds} rounds; milliseconds an evaluation\n\n`,
  );
  const headings = ['task', 'tokens', 'padded', 'LoraHub on PEFT', 'one', `of ${POPULATION}`, 'one, int8', `of ${POPULATION}, int8`];
  process.stdout.write(line(headings) + line(headings.map(() => '---')));
  for (const { task, tokens, padded, ms } of results)
    process.stdout.write(line([task, tokens, padded, ...WAYS.map((way) => median(ms[way]).toFixed(0))]));
  const summary = (name: string, of: (ratios: readonly number[]) => number): string =>
    line([name, '', '', '', ...WAYS.slice(1).map((way) => `${of(ratiosOf(way)).toFixed(2)}×`)]);
  process.stdout.write(summary('**times faster, median task**', median) + summary('least', (ratios) => Math.min(...ratios)));
  process.stdout.write(
    `\nThe losses of LoraHub's loop and of the same points here in factor space differ by ${Math.max(...results.map(({ deviation }) => deviation)).toExponential(1)} nats at most.\n`,
  );
}
