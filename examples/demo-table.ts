// The demo's outcome as a table.
import { formatLoss } from '#src/cli/render/quantities.js';
import { renderTable } from '#src/cli/render/table.js';
import { type Style } from '#src/cli/terminal.js';

/** Of base, best single adapter, uniform mixture and composition, in this order. */
export type OfEachMethod<T> = readonly T[];

export interface TaskRow {
  readonly task: string;
  /** Name of the composition. */
  readonly model: string;
  /** Few-shot loss, nats per answer token; null: not finite. */
  readonly losses: OfEachMethod<number | null>;
  /** Held-out exact match, 0…1. */
  readonly matches: OfEachMethod<number>;
  readonly evaluations: number;
  readonly seconds: number;
}

const METHODS = ['base', 'single', 'uniform', 'composed'] as const;

export function renderTaskTable(rows: readonly TaskRow[], style: Style): string {
  const columns = [
    { heading: 'TASK' },
    ...METHODS.map((method, i) => ({ heading: i === 0 ? `LOSS ${method}` : method, align: 'right' as const })),
    ...METHODS.map((method, i) => ({ heading: i === 0 ? `MATCH ${method}` : method, align: 'right' as const })),
    { heading: 'EVALUATIONS', align: 'right' as const },
    { heading: 'SECONDS', align: 'right' as const },
  ];
  const cells = rows.map(({ task, losses, matches, evaluations, seconds }) => [
    task,
    ...losses.map((loss) => formatLoss(loss ?? Number.NaN)),
    ...matches.map((match) => match.toFixed(2)),
    String(evaluations),
    seconds.toFixed(1),
  ]);
  const means = [
    'mean',
    ...METHODS.map((_, i) => formatLoss(mean(rows.map(({ losses }) => losses[i] ?? Number.NaN)))),
    ...METHODS.map((_, i) => mean(rows.map(({ matches }) => matches[i] ?? Number.NaN)).toFixed(2)),
    mean(rows.map(({ evaluations }) => evaluations)).toFixed(0),
    mean(rows.map(({ seconds }) => seconds)).toFixed(1),
  ];
  return `${renderTable(columns, [...cells, means.map((cell) => style.bold(cell))], style)}LOSS: few-shot loss, nats per answer token. MATCH: exact match on held-out lines. single: the best adapter alone.\n`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
