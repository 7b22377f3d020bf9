// `npm run bench -- serve`: how fast answers come, on the real bed, with llama.cpp and PEFT in the same run; medians and ratios.
//   npm run bench -- serve [--rounds 3] [--json] [--without-peers] [--llama-cpp DIR] [--gguf DIR]
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
import { median, spread } from '../statistics.js';
import { findLlamaCpp, measureLlamaCpp } from './llama-cpp.js';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid');
const ROWS = [1, 8];
const MOST_ROWS = 8;
/** What of llama.cpp's has as many bits. */
const PEERS: readonly (readonly [ServingPrecision, string])[] = [
  ['float32', 'f32'],
  ['int8', 'q8_0'],
  ['int4', 'q4_0'],
];

/** Of the ratios to llama.cpp. */
const AIMS: Readonly<Record<ServingPrecision, { readonly rows?: number; readonly row?: number; readonly prefill?: number }>> = {
  float32: { rows: 1, row: 0.9 },
  float16: {},
  int8: { rows: 2, row: 0.9, prefill: 2 },
  int4: { rows: 1.5, row: 1.2 },
};

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
const mixtures = names.map((name): Mixture => [{ digest: digestOf(name), weight: 1 }]);
const open = (precision: ServingPrecision): Promise<ModelEngine> =>
  openBedEngine(bed.modelDirectory, (digest) => bed.adapterDirectory(names.find((name) => digestOf(name) === digest) ?? ''), { precision });

/** Rates by contestant, in the order of the rounds. */
const measured = new Map<string, Rates[]>();
const keep = (who: string, rates: Rates): void => void measured.set(who, [...(measured.get(who) ?? []), rates]);

// The base alone has engines of its own, whose programs know no adapters.
const engines = await Promise.all(
  PEERS.map(async ([precision]) => ({ precision, base: await open(precision), adapted: await open(precision) })),
);
const llamaCpp = flags['without-peers'] ? undefined : findLlamaCpp(flags['llama-cpp'], flags.gguf, say);
const python = flags['without-peers'] ? undefined : findPython(cache, say);
const peft =
  python === undefined
    ? undefined
    : await PeftPeer.start(python, {
        modelDirectory: bed.modelDirectory,
        adaptersDirectory: join(bed.shared, 'adapters'),
        adapterNames: names,
      });

for (let round = -1; round < rounds; round++) {
  say(round < 0 ? 'Warming up …' : `Round ${round + 1} of ${rounds} …`);
  for (const [who, rates] of await measureRound()) if (round >= 0) keep(who, rates);
}
peft?.close();
for (const { base, adapted } of engines) await Promise.all([base.close(), adapted.close()]);
print();

async function measureRound(): Promise<[string, Rates][]> {
  const found: [string, Rates][] = [];
  for (const { precision, base, adapted } of engines)
    for (const rows of ROWS) {
      found.push([
        `${precision} base ${rows}`,
        await measureRates(
          base,
          Array.from({ length: rows }, () => []),
        ),
      ]);
      found.push([`${precision} adapted ${rows}`, await measureRates(adapted, mixtures.slice(0, rows))]);
    }
  for (const [, kind] of PEERS) {
    const model = llamaCpp?.models.get(kind);
    if (llamaCpp === undefined || model === undefined) continue;
    for (const [rows, rates] of await measureLlamaCpp(llamaCpp.tool, model, availableParallelism(), ROWS))
      found.push([`${kind} ${rows}`, rates]);
  }
  if (peft !== undefined) found.push(['peft mixed', { prefill: NaN, decode: await peft.decodeTokensPerSecond() }]);
  return found;
}

function print(): void {
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`;
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ machine, rounds, measured: Object.fromEntries(measured) }, null, 2)}\n`);
    return;
  }
  const of = (who: string, which: keyof Rates): number[] => (measured.get(who) ?? []).map((rates) => rates[which]);
  const line = (what: string, who: string, peer: string, which: keyof Rates, peerName: string, aim?: number): string => {
    const [own, other] = [of(who, which), of(peer, which)];
    const ratio = other.length === 0 ? NaN : median(own) / median(other);
    const verdict = Number.isNaN(ratio) ? 'not measured' : `${ratio.toFixed(2)}×`;
    return `| ${[what, spread(own, 'tok/s'), other.length === 0 ? '' : `${peerName} ${spread(other, 'tok/s')}`, verdict, aim === undefined ? '' : `≥ ${aim}×`].join(' | ')} |`;
  };
  const lines = [
    line('8 rows, 8 compositions, float32', 'float32 adapted 8', 'peft mixed', 'decode', 'PEFT, mixed batch', 3),
    ...PEERS.map(([precision]) =>
      line(`8 rows, 8 compositions, ${precision}`, `${precision} adapted 8`, `${precision} base 8`, 'decode', 'Braid, base alone', 0.85),
    ),
    ...PEERS.map(([precision, kind]) =>
      line(`8 rows, base alone, ${precision}`, `${precision} base 8`, `${kind} 8`, 'decode', `llama.cpp ${kind}`, AIMS[precision].rows),
    ),
    ...PEERS.map(([precision, kind]) =>
      line(`1 row, base alone, ${precision}`, `${precision} base 1`, `${kind} 1`, 'decode', `llama.cpp ${kind}`, AIMS[precision].row),
    ),
    ...PEERS.map(([precision]) =>
      line(`1 row, one composition, ${precision}`, `${precision} adapted 1`, `${precision} base 1`, 'decode', 'Braid, base alone'),
    ),
    ...PEERS.map(([precision, kind]) =>
      line(`prefill of 8 × 128, ${precision}`, `${precision} base 8`, `${kind} 8`, 'prefill', `llama.cpp ${kind}`, AIMS[precision].prefill),
    ),
  ];
  process.stdout.write(
    [
      `${machine}; medians of ${rounds} rounds (minimum–maximum)`,
      '',
      '| what | Braid | peer | ratio | aim |',
      '| --- | --- | --- | --- | --- |',
      ...lines,
      '',
    ].join('\n'),
  );
}
