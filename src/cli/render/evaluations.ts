// Evaluations as tables: several models side by side with what they differ by, and what is known of one model.
import { type EvaluationDifferenceView, type EvaluationView, type Estimate } from '../hub-views.js';
import { printableLine, type Style, type Terminal } from '../terminal.js';
import { formatAge, formatPlural } from './quantities.js';
import { type Column, renderTable } from './table.js';

// A loss's interval is rarely narrower than a thousandth of a nat, a share's rarely than a hundredth.
const LOSS_DIGITS = 3;
const SHARE_DIGITS = 2;
const NONE = '–';

/** Evaluations on the same examples; `differences` are those of the others against the first. */
export function renderEvaluations(
  evaluations: readonly EvaluationView[],
  differences: readonly EvaluationDifferenceView[],
  { style }: Terminal,
): string {
  const [first] = evaluations;
  if (first === undefined) return '';
  const hasChoices = first.choices !== null;
  const compared = evaluations.length > 1;
  const columns: Column[] = [
    { heading: 'MODEL' },
    ...figureHeadings(hasChoices, ''),
    ...(compared ? figureHeadings(hasChoices, 'Δ ') : []),
  ];
  const rows = evaluations.map((evaluation, i) => {
    const against = differences[i - 1]?.difference;
    return [
      style.bold(evaluation.model),
      ...figures(evaluation.result, hasChoices, formatEstimate),
      ...(compared ? figures(against ?? null, hasChoices, formatDifference, i === 0 ? '' : NONE) : []),
    ];
  });
  const notes = [
    `${printableLine(first.name)}: ${formatPlural(first.examples, 'example')}, loss in nats per answer token, 95 % intervals`,
    ...(compared ? [`Δ: against ${first.model}, paired by example`] : []),
  ];
  return `${renderTable(columns, rows, style)}${style.dim(`${notes.join('; ')}.\n`)}`;
}

/** What a model was evaluated on; nothing when it was not. */
export function renderKnownEvaluations(evaluations: readonly EvaluationView[], style: Style, now: Date): string {
  if (evaluations.length === 0) return '';
  const hasChoices = evaluations.some(({ choices }) => choices !== null);
  const table = renderTable(
    [{ heading: 'EVALUATION' }, { heading: 'EXAMPLES', align: 'right' }, ...figureHeadings(hasChoices, ''), { heading: '' }],
    evaluations.map((evaluation) => [
      printableLine(evaluation.name),
      String(evaluation.examples),
      ...figures(evaluation.result, hasChoices, formatEstimate),
      style.dim(formatAge(new Date(evaluation.finishedAt ?? evaluation.createdAt), now)),
    ]),
    style,
  );
  return `\n${table}`;
}

type Figures = Pick<NonNullable<EvaluationView['result']>, 'loss' | 'exactMatch' | 'accuracy'>;

function figureHeadings(hasChoices: boolean, prefix: string): Column[] {
  return ['LOSS', 'EXACT MATCH', ...(hasChoices ? ['ACCURACY'] : [])].map((name) => ({ heading: `${prefix}${name}` }));
}

function figures(
  of: Figures | null,
  hasChoices: boolean,
  format: (estimate: Estimate, digits: number) => string,
  none = NONE,
): readonly string[] {
  const cell = (estimate: Estimate | null | undefined, digits: number): string =>
    estimate === null || estimate === undefined ? none : format(estimate, digits);
  return [cell(of?.loss, LOSS_DIGITS), cell(of?.exactMatch, SHARE_DIGITS), ...(hasChoices ? [cell(of?.accuracy, SHARE_DIGITS)] : [])];
}

/** `0.87 (0.79…0.92)` */
export function formatEstimate({ value, low, high }: Estimate, digits: number): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)}…${high.toFixed(digits)})`;
}

/** `+0.12 (+0.02…+0.21)`, with a real minus. */
export function formatDifference({ value, low, high }: Estimate, digits: number): string {
  const signed = (x: number): string => {
    const text = Math.abs(x).toFixed(digits);
    if (Number(text) === 0) return text;
    return x < 0 ? `−${text}` : `+${text}`;
  };
  return `${signed(value)} (${signed(low)}…${signed(high)})`;
}
