// What the table of `npm run bench -- serve` holds against what, and the aims of the ratios.
import type { ServingPrecision } from '#src/runtime/engine.js';
import type { Rates } from '../bench-engine.js';

/** Rates by contestant, in the order of the rounds. PEFT's peer says nothing of its prefill. */
export type Measured = ReadonlyMap<string, readonly Partial<Rates>[]>;

export interface Comparison {
  readonly what: string;
  /** Contestants, by their names in `Measured`. */
  readonly own: string;
  readonly peer: string;
  readonly rate: keyof Rates;
  /** Of the ratio, at least; without one the row informs. */
  readonly aim?: number;
}

/** A precision of Braid's and llama.cpp's kind of as many bits. */
export interface Contest {
  readonly precision: ServingPrecision;
  readonly kind: string;
  /** Of the ratios to llama.cpp. */
  readonly aims: { readonly rows?: number; readonly row?: number; readonly prefill?: number };
}

export const MOST_ROWS = 8;
export const PEFT = 'PEFT, mixed batch';
export const CONTESTS: readonly Contest[] = [
  { precision: 'float32', kind: 'f32', aims: { rows: 1, row: 0.9 } },
  { precision: 'int8', kind: 'q8_0', aims: { rows: 2, row: 0.9, prefill: 2 } },
  { precision: 'int4', kind: 'q4_0', aims: { rows: 1.5, row: 1.2 } },
];
const KEPT_BY_ADAPTERS = 0.85;
const TIMES_PEFT = 3;

export const baseAlone = (precision: ServingPrecision, rows: number): string => `Braid ${precision}, base alone, ${inRows(rows)}`;
export const adapted = (precision: ServingPrecision, rows: number): string => `Braid ${precision}, compositions, ${inRows(rows)}`;
export const llamaCpp = (kind: string, rows: number): string => `llama.cpp ${kind}, ${inRows(rows)}`;

/** The table's rows in order; `kinds` are those that llama.cpp has models of. */
export function listComparisons(kinds: ReadonlySet<string>): Comparison[] {
  const contests = CONTESTS.map((contest) => withModel(contest, kinds));
  return [
    ...contests.map(({ precision, kind, aims }) => ({
      what: `8 rows, base alone, ${precision}`,
      own: baseAlone(precision, MOST_ROWS),
      peer: llamaCpp(kind, MOST_ROWS),
      rate: 'decode' as const,
      ...aimOf(aims.rows),
    })),
    {
      what: '8 rows, 8 compositions, float32',
      own: adapted('float32', MOST_ROWS),
      peer: PEFT,
      rate: 'decode',
      aim: TIMES_PEFT,
    },
    ...contests.map(({ precision }) => ({
      what: `8 rows, 8 compositions, ${precision}`,
      own: adapted(precision, MOST_ROWS),
      peer: baseAlone(precision, MOST_ROWS),
      rate: 'decode' as const,
      aim: KEPT_BY_ADAPTERS,
    })),
    ...contests.map(({ precision, kind, aims }) => ({
      what: `prefill of 8 × 128, ${precision}`,
      own: baseAlone(precision, MOST_ROWS),
      peer: llamaCpp(kind, MOST_ROWS),
      rate: 'prefill' as const,
      ...aimOf(aims.prefill),
    })),
    ...contests.map(({ precision, kind, aims }) => ({
      what: `1 row, base alone, ${precision}`,
      own: baseAlone(precision, 1),
      peer: llamaCpp(kind, 1),
      rate: 'decode' as const,
      ...aimOf(aims.row),
    })),
    ...contests.map(({ precision }) => ({
      what: `1 row, one composition, ${precision}`,
      own: adapted(precision, 1),
      peer: baseAlone(precision, 1),
      rate: 'decode' as const,
    })),
  ];
}

/** int4 is held against Q8_0 where llama.cpp has nothing of 4 bits. As that has twice the bits, the row then only informs. */
function withModel(contest: Contest, kinds: ReadonlySet<string>): Contest {
  const isAlone = contest.kind === 'q4_0' && !kinds.has('q4_0') && kinds.has('q8_0');
  return isAlone ? { ...contest, kind: 'q8_0', aims: {} } : contest;
}

function aimOf(aim: number | undefined): { readonly aim?: number } {
  return aim === undefined ? {} : { aim };
}

function inRows(rows: number): string {
  return rows === 1 ? '1 row' : `${rows} rows`;
}
