// The table of `npm run bench -- serve`: ratios of medians, and whether they reach their aims.
import type { Rates } from '../bench-engine.js';
import { median, type Samples, spread } from '../statistics.js';
import type { Comparison, Measured } from './comparisons.js';

export interface TableRow {
  readonly what: string;
  /** Tokens per second, in the order of the rounds; empty where nothing was measured. */
  readonly braid: Samples;
  readonly peerName: string;
  readonly peer: Samples;
  /** Of the medians, where both were measured. */
  readonly ratio?: number;
  readonly aim?: number;
  /** Where there is an aim and a ratio. */
  readonly isReached?: boolean;
}

export function compareRates(measured: Measured, comparisons: readonly Comparison[]): TableRow[] {
  return comparisons.map(({ what, own, peer: peerName, rate, aim }) => {
    const [braid, peer] = [samplesOf(measured, own, rate), samplesOf(measured, peerName, rate)];
    const row = { what, braid, peerName, peer, ...(aim === undefined ? {} : { aim }) };
    if (braid.length === 0 || peer.length === 0) return row;
    const ratio = median(braid) / median(peer);
    return { ...row, ratio, ...(aim === undefined ? {} : { isReached: ratio >= aim }) };
  });
}

/** A Markdown table. */
export function renderTable(rows: readonly TableRow[]): string {
  const lines = rows.map((row) => [
    row.what,
    spread(row.braid, 'tok/s'),
    row.peer.length === 0 ? row.peerName : `${row.peerName}: ${spread(row.peer, 'tok/s')}`,
    row.ratio === undefined ? 'not measured' : `${row.ratio.toFixed(2)}×`,
    row.aim === undefined ? '' : `≥ ${row.aim}×`,
    row.isReached === undefined ? '' : row.isReached ? 'reached' : 'not reached',
  ]);
  const head = ['what', 'Braid', 'peer', 'ratio', 'aim', ''];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function samplesOf(measured: Measured, who: string, rate: keyof Rates): number[] {
  return (measured.get(who) ?? []).flatMap((rates) => rates[rate] ?? []);
}
