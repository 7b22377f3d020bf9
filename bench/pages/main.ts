// `npm run bench -- pages`: adapters in pages under a memory that holds few of them. Nothing leaks, no answer is another adapter's, and a row
// costs what its own rank does; ends with status 1 where one of these does not hold.
//   npm run bench -- pages [--adapters 1000] [--switches 10000] [--rounds 15]
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median, quantile, type Samples } from '../statistics.js';
import { measureRows, type RowFigures } from './measure-rows.js';
import { measureSwitches, type SwitchFigures } from './measure-switches.js';
import { writePagesModel } from './pages-bed.js';

const HELD = 50;
const RANK = 16;
const ROW_RANKS = [8, 16, 64];
// Of what would be added were nothing given up; a heap that is still finding its size adds less.
const MOST_ADDED_SHARE = 0.1;
// Equal work differs by less, in the median of the rounds, on a machine that has other work to do.
const MOST_ROW_RATIO = 1.25;

const { values: flags } = parseArgs({
  options: {
    adapters: { type: 'string', default: '1000' },
    switches: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '15' },
  },
  // The bench's own name.
  allowPositionals: true,
});
const adapters = parseCount('adapters', flags.adapters, 2 * HELD + 1);
const switches = parseCount('switches', flags.switches, 500);
const rounds = parseCount('rounds', flags.rounds, 1);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const folder = mkdtempSync(join(tmpdir(), 'braid-bench-pages-'));
try {
  const tiny = join(folder, 'tiny');
  const small = join(folder, 'small');
  writePagesModel(tiny, { hiddenSize: 64, layers: 2, contextLength: 256 });
  writePagesModel(small, { hiddenSize: 512, layers: 6, contextLength: 256 });
  const figures = await measureSwitches({ modelDirectory: tiny, adapters, switches, held: HELD, rank: RANK, say });
  say('Rows …');
  const rows = await measureRows({ modelDirectory: small, ranks: ROW_RANKS, others: HELD, othersRank: RANK, rounds });
  print(figures, rows);
} finally {
  rmSync(folder, { recursive: true });
}

function parseCount(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > 1_000_000)
    throw new Error(`--${flag} must be a whole number from ${least} to 1000000, not ${text}`);
  return value;
}

function print(figures: SwitchFigures, rows: readonly RowFigures[]): void {
  const { loads, evictions, adaptersHeld, adapterBytes, residentMs, absentMs, warmBytes, endBytes, bytesPerThousand } = figures;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const pair = (samples: Samples): string => `${quantile(samples, 0.5).toFixed(2)} and ${quantile(samples, 0.99).toFixed(2)} ms`;
  const unreleased = (1000 * loads * adapterBytes) / switches;
  const table: [string, string][] = [
    ['switches between adapters', `${switches}`],
    ['loads, evictions', `${loads}, ${evictions}`],
    ['adapters in memory at the end', `${adaptersHeld}`],
    ['a switch to a resident adapter, p50 and p99', pair(residentMs)],
    ['a switch to an absent adapter, p50 and p99', pair(absentMs)],
    ['resident memory after warm-up', mb(warmBytes)],
    ['resident memory at the end', mb(endBytes)],
    ['added per 1,000 switches, by least squares', `${mb(bytesPerThousand)} (were nothing given up: ${mb(unreleased)})`],
    ['answers checked, wrong', `${figures.checked}, ${figures.wrong}`],
  ];
  const ratios = rows.map(({ aloneMs, besideMs }) => median(besideMs.map((ms, i) => ms / (aloneMs[i] ?? NaN))));
  const lines = [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`,
    '',
    `${adapters} adapters of rank ${RANK}, memory for ${HELD}`,
    '',
    '| what | |',
    '| --- | --- |',
    ...table.map((row) => `| ${row.join(' | ')} |`),
    '',
    `A decode row, medians of ${rounds} rounds`,
    '',
    `| rank | alone in memory | beside ${HELD} others | ratio |`,
    '| ---: | ---: | ---: | ---: |',
    ...rows.map(({ rank, aloneMs, besideMs }, i) => {
      const cells = [`${rank}`, `${median(aloneMs).toFixed(3)} ms`, `${median(besideMs).toFixed(3)} ms`, (ratios[i] ?? NaN).toFixed(2)];
      return `| ${cells.join(' | ')} |`;
    }),
    '',
  ];
  const promises: [boolean, string][] = [
    [bytesPerThousand <= MOST_ADDED_SHARE * unreleased, `memory grows by ${mb(bytesPerThousand)} per 1,000 switches`],
    [loads === figures.absent, `${loads} loads for ${figures.absent} requests of absent adapters`],
    [adaptersHeld <= HELD, `${adaptersHeld} adapters lie in a memory for ${HELD}`],
    [figures.wrong === 0, `${figures.wrong} of ${figures.checked} answers are not the adapter's own`],
    [figures.alike === 0, `${figures.alike} adapters answer as another does, so a mix-up would go unseen`],
    [ratios.every((ratio) => ratio <= MOST_ROW_RATIO), `a row costs up to ${Math.max(...ratios).toFixed(2)}× beside others`],
  ];
  const broken = promises.filter(([holds]) => !holds).map(([, found]) => found);
  lines.push(broken.length === 0 ? 'Verdict: every promise holds.' : `Verdict: broken: ${broken.join('; ')}.`, '');
  process.stdout.write(lines.join('\n'));
  if (broken.length > 0) process.exitCode = 1;
}
