// `npm run bench`: Braid and its peers in turn on the same bed, medians and ratios of one run. Timings inform, they gate nothing.
//   npm run bench -- [--rounds 5] [--json] [--without-peer]
// The peer needs Python with bench/peers/requirements.txt; its interpreter is BRAID_BENCH_PYTHON or the one in the cache's bench-venv.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Bed, ensureBed } from './bed.js';
import { type BenchEngine, openBenchEngine } from './bench-engine.js';
import { findPython, PeftPeer } from './peft-peer.js';
import { median, quantile, type Samples, spread } from './statistics.js';

const POPULATION = 8;

interface Loaded {
  readonly openMs: number;
  readonly weightsBytes: number;
  readonly residentBytes: number;
  readonly peakBytes: number;
}

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    'without-peer': { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
  throw new Error(`--rounds must be a whole number from 1 to 100, not ${flags.rounds}`);

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid');
const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

say('Preparing the bed (a random model in SmolLM2-135M’s shape, 20 adapters of rank 16 on q and v) …');
const bed = await ensureBed(join(cache, 'bench-bed'));
const loaded = measureLoad(bed);
const peer = flags['without-peer'] ? undefined : await startPeer(bed);
const base = await openBenchEngine(bed);
const factored = await openBenchEngine(bed);

const samples = {
  evaluationMs: [] as number[],
  populationEvaluationMs: [] as number[],
  int8EvaluationMs: [] as number[],
  int8PopulationEvaluationMs: [] as number[],
  peerEvaluationMs: [] as number[],
  decodeTokensPerSecond: [] as number[],
  baseDecodeTokensPerSecond: [] as number[],
  peerDecodeTokensPerSecond: [] as number[],
  streamGapMs: [] as number[],
  streamGapUnderSearchMs: [] as number[],
} satisfies Record<string, number[]>;

for (let round = -1; round < rounds; round++) {
  say(round < 0 ? 'Warming up …' : `Round ${round + 1} of ${rounds} …`);
  const one = await measureRound(base, factored, round);
  if (round < 0) continue;
  for (const [key, value] of Object.entries(one)) samples[key as keyof typeof samples].push(value);
}
say('Streaming, alone and beside a search …');
samples.streamGapMs.push(...(await factored.streamGaps(false)));
samples.streamGapUnderSearchMs.push(...(await factored.streamGaps(true)));
peer?.close();
await base.close();
await factored.close();
print();

async function measureRound(
  baseEngine: BenchEngine,
  factoredEngine: BenchEngine,
  round: number,
): Promise<Partial<Record<keyof typeof samples, number>>> {
  const evaluationMs = await factoredEngine.evaluate(1, round);
  const peerEvaluationMs = await peer?.evaluationMs();
  const populationEvaluationMs = (await factoredEngine.evaluate(POPULATION, round)) / POPULATION;
  // The session over quantized weights is opened on demand and released when it idles: its opening is not an evaluation.
  await factoredEngine.evaluate(1, round, 'estimate');
  const int8EvaluationMs = await factoredEngine.evaluate(1, round, 'estimate');
  const int8PopulationEvaluationMs = (await factoredEngine.evaluate(POPULATION, round, 'estimate')) / POPULATION;
  const decodeTokensPerSecond = await factoredEngine.decodeMixed();
  const baseDecodeTokensPerSecond = await baseEngine.decodeBase();
  const peerDecodeTokensPerSecond = await peer?.decodeTokensPerSecond();
  return {
    evaluationMs,
    populationEvaluationMs,
    int8EvaluationMs,
    int8PopulationEvaluationMs,
    decodeTokensPerSecond,
    baseDecodeTokensPerSecond,
    ...(peerEvaluationMs === undefined ? {} : { peerEvaluationMs }),
    ...(peerDecodeTokensPerSecond === undefined ? {} : { peerDecodeTokensPerSecond }),
  };
}

/** A process of its own, so that nothing else counts into its memory. */
function measureLoad(where: Bed): Loaded {
  const script = fileURLToPath(new URL('./measure-load.js', import.meta.url));
  const before = bytesOnDisk(where.modelDirectory);
  const result = JSON.parse(execFileSync(process.execPath, [script, where.modelDirectory], { encoding: 'utf8' })) as Loaded;
  const after = bytesOnDisk(where.modelDirectory);
  if (after !== before) throw new Error(`loading the model wrote ${after - before} bytes beside it`);
  return result;
}

function bytesOnDisk(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

async function startPeer(where: Bed): Promise<PeftPeer | undefined> {
  const python = findPython(cache, say);
  if (python === undefined) return undefined;
  say('Starting the peer (PEFT on PyTorch) …');
  return PeftPeer.start(python, where);
}

function print(): void {
  if (flags.json) {
    process.stdout.write(
      `${JSON.stringify({ rounds, processor: cpus()[0]?.model, cores: cpus().length, node: process.version, loaded, samples }, null, 2)}\n`,
    );
    return;
  }
  const ratio = (a: Samples, b: Samples): string =>
    a.length === 0 || b.length === 0 ? 'not measured' : `${(median(a) / median(b)).toFixed(2)}×`;
  const gapsOf = (gaps: Samples): string => `${quantile(gaps, 0.5).toFixed(0)} and ${quantile(gaps, 0.95).toFixed(0)} ms`;
  const total = (gaps: Samples): number => gaps.reduce((sum, gap) => sum + gap, 0);
  const gib = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  const rows: [string, string, string, string][] = [
    [
      'one evaluation, 20 adapters, 5 × 64 tokens',
      spread(samples.evaluationMs, 'ms'),
      spread(samples.peerEvaluationMs, 'ms'),
      `${ratio(samples.peerEvaluationMs, samples.evaluationMs)} faster than LoraHub's loop on PEFT`,
    ],
    [
      `the same in a population of ${POPULATION}`,
      spread(samples.populationEvaluationMs, 'ms'),
      spread(samples.peerEvaluationMs, 'ms'),
      `${ratio(samples.peerEvaluationMs, samples.populationEvaluationMs)} faster`,
    ],
    [
      'one evaluation in int8',
      spread(samples.int8EvaluationMs, 'ms'),
      spread(samples.peerEvaluationMs, 'ms'),
      `${ratio(samples.peerEvaluationMs, samples.int8EvaluationMs)} faster`,
    ],
    [
      `the same in a population of ${POPULATION}`,
      spread(samples.int8PopulationEvaluationMs, 'ms'),
      spread(samples.peerEvaluationMs, 'ms'),
      `${ratio(samples.peerEvaluationMs, samples.int8PopulationEvaluationMs)} faster`,
    ],
    [
      'decode, 8 rows, 8 different compositions',
      spread(samples.decodeTokensPerSecond, 'tok/s'),
      spread(samples.peerDecodeTokensPerSecond, 'tok/s'),
      `${ratio(samples.decodeTokensPerSecond, samples.peerDecodeTokensPerSecond)} PEFT's mixed-adapter batch`,
    ],
    [
      'decode, 8 rows, base alone',
      spread(samples.baseDecodeTokensPerSecond, 'tok/s'),
      '',
      `factored at ${ratio(samples.decodeTokensPerSecond, samples.baseDecodeTokensPerSecond)} of the base`,
    ],
    [
      'between deliveries of a stream, p50 and p95',
      `${gapsOf(samples.streamGapMs)} alone, ${gapsOf(samples.streamGapUnderSearchMs)} beside a search`,
      '',
      `${(total(samples.streamGapUnderSearchMs) / total(samples.streamGapMs)).toFixed(2)}× the time for the whole stream`,
    ],
    ['loading the base', `${(loaded.openMs / 1000).toFixed(1)} s`, '', 'no second copy on disk'],
    [
      'resident memory of hub and worker',
      gib(loaded.residentBytes),
      '',
      `${(loaded.residentBytes / loaded.weightsBytes).toFixed(2)}× the weights in fp32 (peak ${(loaded.peakBytes / loaded.weightsBytes).toFixed(2)}×)`,
    ],
  ];
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}; medians of ${rounds} rounds (minimum–maximum)`;
  process.stdout.write(
    [machine, '', '| what | Braid | peer | ratio |', '| --- | --- | --- | --- |', ...rows.map((row) => `| ${row.join(' | ')} |`), ''].join(
      '\n',
    ),
  );
}
