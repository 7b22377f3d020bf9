// `npm run bench -- providers`: evaluation and decode on one provider, in each precision that it has. Timings inform, they gate nothing.
//   npm run bench -- providers [--provider cpu|webgpu|cuda] [--rounds 5]
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Provider } from '#kernels/decode/step-program.js';
import type { ServingPrecision } from '#src/runtime/engine.js';
import { ensureBed } from './bed.js';
import { openBenchEngine } from './bench-engine.js';
import { spread } from './statistics.js';

const POPULATION = 8;
const PROVIDERS: readonly Provider[] = ['cpu', 'webgpu', 'cuda'];

const { values: flags } = parseArgs({
  options: { provider: { type: 'string', default: 'cpu' }, rounds: { type: 'string', default: '5' } },
  // The bench's own name.
  allowPositionals: true,
});
const provider = PROVIDERS.find((name) => name === flags.provider);
if (provider === undefined) throw new Error(`--provider must be one of ${PROVIDERS.join(', ')}, not ${flags.provider}`);
const PRECISIONS: readonly ServingPrecision[] = provider === 'cpu' ? ['float32', 'float16', 'int8', 'int4'] : ['float32', 'float16'];
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
  throw new Error(`--rounds must be a whole number from 1 to 100, not ${flags.rounds}`);

const bed = await ensureBed(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid', 'bench-bed'));
const columns = new Map<ServingPrecision, string[]>();
// One after another: two engines would share the device.
for (const precision of PRECISIONS) columns.set(precision, await measure(provider, precision));

const rows = [
  'one evaluation, 20 adapters, 5 × 64 tokens',
  `the same in a population of ${POPULATION}`,
  'decode, 8 rows, 8 different compositions',
  'decode, 8 rows, base alone',
];
process.stdout.write(
  [
    `provider ${provider}, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}; medians of ${rounds} rounds (minimum–maximum)`,
    '',
    `| what | ${PRECISIONS.join(' | ')} |`,
    `| --- |${' --- |'.repeat(PRECISIONS.length)}`,
    ...rows.map((row, i) => `| ${[row, ...PRECISIONS.map((precision) => columns.get(precision)?.[i] ?? '')].join(' | ')} |`),
    '',
  ].join('\n'),
);

/** The rows' cells, in order. */
async function measure(where: Provider, precision: ServingPrecision): Promise<string[]> {
  const engine = await openBenchEngine(bed, { provider: where, precision });
  const samples = { alone: [] as number[], population: [] as number[], mixed: [] as number[], base: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    process.stderr.write(round < 0 ? `Warming up in ${precision} …\n` : `Round ${round + 1} of ${rounds} …\n`);
    const one = {
      alone: await engine.evaluate(1, round, precision),
      population: (await engine.evaluate(POPULATION, round, precision)) / POPULATION,
      mixed: await engine.decodeMixed(),
      base: await engine.decodeBase(),
    };
    if (round < 0) continue;
    for (const key of ['alone', 'population', 'mixed', 'base'] as const) samples[key].push(one[key]);
  }
  await engine.close();
  return [spread(samples.alone, 'ms'), spread(samples.population, 'ms'), spread(samples.mixed, 'tok/s'), spread(samples.base, 'tok/s')];
}
