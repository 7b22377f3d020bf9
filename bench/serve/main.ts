// `npm run bench -- serve`: how fast answers come, on the real bed, with llama.cpp and PEFT in the same run; medians and ratios.
//   npm run bench -- serve [--rounds 3] [--json] [--without-peers] [--llama-cpp DIR] [--gguf DIR]
// llama.cpp's folder may be named by BRAID_BENCH_LLAMA_CPP too; the Python of PEFT is found as for `npm run bench`.
// 128 tokens of prompt, 64 of answer, greedy. Contestants take turns, round by round, so that a machine's moods meet all of them.
import { availableParallelism, cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { digestOf } from '#src/ids/ids.js';
import type { Mixture, ServingPrecision } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { openRealBed } from '#test/real/bed.js';
import { measureRates, openBedEngine, type Rates } from '../bench-engine.js';
import { findPython, PeftPeer } from '../peft-peer.js';
import { adapted, baseAlone, CONTESTS, listComparisons, llamaCpp, MOST_ROWS, PEFT } from './comparisons.js';
import { findLlamaCpp, measureLlamaCpp } from './llama-cpp.js';
import { compareRates, renderTable } from './table.js';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid');
const ROWS = [1, MOST_ROWS];

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    'without-peers': { type: 'boolean', default: false },
    'llama-cpp': { type: 'string', default: process.env['BRAID_BENCH_LLAMA_CPP'] ?? join(cache, 'llamacpp', 'build', 'bin') },
    gguf: { type: 'string', default: join(cache, 'gguf') },
  },
  // The bench's own name.
  allowPositionals: true,
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
  throw new Error(`--rounds must be a whole number from 1 to 100, not ${flags.rounds}`);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const bed = openRealBed();
const names = bed.candidates.slice(0, MOST_ROWS);
if (names.length < MOST_ROWS)
  throw new Error(`${bed.shared}/adapters has ${names.length} plain adapters of rank 16; ${MOST_ROWS} are needed, one for each row`);
const mixtures = names.map((name): Mixture => [{ digest: digestOf(name), weight: 1 }]);
const open = (precision: ServingPrecision): Promise<ModelEngine> =>
  openBedEngine(bed.modelDirectory, (digest) => bed.adapterDirectory(names.find((name) => digestOf(name) === digest) ?? ''), { precision });

const measured = new Map<string, Partial<Rates>[]>();

say('Opening the engines …');
// The base alone has engines of its own, whose programs know no adapters.
const engines = await Promise.all(
  CONTESTS.map(async ({ precision }) => ({ precision, base: await open(precision), withAdapters: await open(precision) })),
);
const llama = flags['without-peers'] ? undefined : findLlamaCpp(flags['llama-cpp'], flags.gguf, say);
const peft = flags['without-peers'] ? undefined : await startPeft();

for (let round = -1; round < rounds; round++) {
  say(round < 0 ? 'Warming up …' : `Round ${round + 1} of ${rounds} …`);
  for (const [who, rates] of await measureRound()) if (round >= 0) measured.set(who, [...(measured.get(who) ?? []), rates]);
}
peft?.close();
for (const { base, withAdapters } of engines) await Promise.all([base.close(), withAdapters.close()]);
print();

async function startPeft(): Promise<PeftPeer | undefined> {
  const python = findPython(cache, say);
  if (python === undefined) return undefined;
  say('Starting PEFT on PyTorch …');
  const adaptersDirectory = join(bed.shared, 'adapters');
  return PeftPeer.start(python, { modelDirectory: bed.modelDirectory, adaptersDirectory, adapterNames: names });
}

async function measureRound(): Promise<[string, Partial<Rates>][]> {
  return [...(await measureBraid()), ...(await measureLlama()), ...(await measurePeft())];
}

async function measureBraid(): Promise<[string, Rates][]> {
  const found: [string, Rates][] = [];
  for (const { precision, base, withAdapters } of engines) {
    say(`  Braid ${precision}`);
    for (const rows of ROWS) {
      const none = Array.from({ length: rows }, (): Mixture => []);
      found.push([baseAlone(precision, rows), await measureRates(base, none)]);
      found.push([adapted(precision, rows), await measureRates(withAdapters, mixtures.slice(0, rows))]);
    }
  }
  return found;
}

async function measureLlama(): Promise<[string, Rates][]> {
  if (llama === undefined) return [];
  const found: [string, Rates][] = [];
  for (const [kind, model] of llama.models) {
    say(`  llama.cpp ${kind}`);
    const rates = await measureLlamaCpp(llama.tool, model, availableParallelism(), ROWS);
    for (const [rows, rate] of rates) found.push([llamaCpp(kind, rows), rate]);
  }
  return found;
}

async function measurePeft(): Promise<[string, Partial<Rates>][]> {
  if (peft === undefined) return [];
  say(`  ${PEFT}`);
  return [[PEFT, { decode: await peft.decodeTokensPerSecond() }]];
}

function print(): void {
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`;
  const rows = compareRates(measured, listComparisons(new Set(llama?.models.keys())));
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ machine, rounds, measured: Object.fromEntries(measured), rows }, null, 2)}\n`
      : `${machine}; medians of ${rounds} rounds (minimum–maximum)\n\n${renderTable(rows)}`,
  );
}
