// The best loss so far over the evaluations, as an SVG: logarithmic, the stages as bands, the baselines as dashed lines.
import { type Content, type Markup, markup } from '#src/drawing/markup.js';
import { formatLoss } from './numbers.js';
import { type Interval, linearTicks, logarithmicTicks, px, spaced, stacked } from '#src/drawing/scales.js';

export interface LossCurve {
  /** A point for every improvement, in order. */
  readonly points: readonly { readonly evaluations: number; readonly loss: number }[];
  /** What each stage spent, in order. */
  readonly stages: readonly { readonly stage: string; readonly evaluations: number }[];
  readonly evaluations: number;
  readonly levels: readonly { readonly label: string; readonly loss: number | null }[];
  /** What a loss is: "nats per answer token". */
  readonly unit: string;
}

export interface CurveFrame {
  /** CSS pixels; the drawing scales, its text is right at this width. */
  readonly width: number;
  readonly height: number;
  /** Distinguishes the ids of several drawings in one page. */
  readonly id: string;
}

// Below this a loss is as good as none; it keeps the logarithm finite.
const SMALLEST_LOSS = 1e-4;
/** Beyond this it is only large. */
const LARGEST_LOSS = 1e9;
/** Height of a line of text, pixels. */
const LINE = 15;
/** Mean width of a character at the drawing's type size, pixels; an estimate that errs on the wide side. */
const CHARACTER = 6.6;
const MOST_DOTS = 80;

/** Undefined when no point has a finite loss. */
export function drawCurve(curve: LossCurve, { width, height, id }: CurveFrame): Markup | undefined {
  const points = curve.points.filter(({ loss }) => Number.isFinite(loss));
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const levels = curve.levels.flatMap(({ label, loss }) => (loss === null || !Number.isFinite(loss) ? [] : [{ label, loss }]));

  const left = 52;
  const right = width - CHARACTER * Math.max(0, ...levels.map(({ label }) => label.length)) - 12;
  const bottom = height - 40;
  const end = Math.max(curve.evaluations, last.evaluations, 1);
  const x = (value: number): number => left + ((right - left) * value) / end;
  const bands = bandsOf(curve.stages, x, { from: left, to: width });
  const top = 12 + LINE * (1 + Math.max(0, ...bands.map(({ row }) => row)));
  const range = padded([...points, ...levels].map(({ loss }) => drawable(loss)));
  const y = (loss: number): number => bottom - ((bottom - top) * Math.log(drawable(loss) / range.from)) / Math.log(range.to / range.from);

  const steps = points.slice(1).map(({ evaluations, loss }) => `H${px(x(evaluations))}V${px(y(loss))}`);
  const path = `M${px(x(first.evaluations))} ${px(y(first.loss))}${steps.join('')}H${px(x(end))}`;
  return markup`<svg class="curve ${id}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">Best loss so far</title>
<desc id="${id}-desc">${describe(first.loss, last, levels, curve.unit)}</desc>
${drawBands(bands, { from: top, to: bottom })}
${logarithmicTicks(range).map((tick) => [horizontal('grid', { from: left, to: right }, y(tick)), label('tick', left - 8, y(tick) + 4, 'end', shortNumber(tick))])}
${linearTicks(end, width < 500 ? 4 : 8).map((tick) => label('tick', x(tick), bottom + 17, 'middle', String(tick)))}
${label('axis', (left + right) / 2, height - 6, 'middle', 'evaluations')}
${horizontal('axis-line', { from: left, to: right }, bottom)}
${drawLevels(
  levels.map((level) => ({ label: level.label, at: y(level.loss) })),
  { from: left, to: right },
  { from: top, to: bottom },
)}
<path class="best" d="${path}"/>
${points.length <= MOST_DOTS && points.map(({ evaluations, loss }) => markup`<circle class="dot" cx="${px(x(evaluations))}" cy="${px(y(loss))}" r="2.5"/>`)}
</svg>`;
}

interface Band extends Interval {
  readonly name: string;
  /** Where its name stands above the plot; row 0 is the lowest. */
  readonly middle: number;
  readonly row: number;
}

/** Where each stage lies on the axis; one that spent nothing has no place there. */
function bandsOf(stages: LossCurve['stages'], x: (value: number) => number, bounds: Interval): Band[] {
  let spent = 0;
  const bands = stages.flatMap(({ stage, evaluations }) => {
    const from = spent;
    spent += evaluations;
    return evaluations > 0 ? [{ name: stage, from: x(from), to: x(spent) }] : [];
  });
  const places = stacked(
    bands.map(({ name, from, to }) => ({ middle: (from + to) / 2, width: name.length * CHARACTER })),
    bounds,
  );
  return bands.map((band, i) => ({ ...band, ...(places[i] ?? { middle: band.from, row: 0 }) }));
}

/** Names come last, so that no line runs through one. */
function drawBands(bands: readonly Band[], { from: top, to: bottom }: Interval): Content {
  const baseline = (row: number): number => top - 6 - LINE * row;
  return [
    bands.map(
      ({ from, to }, i) =>
        markup`<rect class="${i % 2 === 0 ? 'band' : 'gap'}" x="${px(from)}" y="${px(top)}" width="${px(to - from)}" height="${px(bottom - top)}"/>`,
    ),
    bands.map(({ from, to, middle, row }) => {
      const isAside = row > 0 || Math.abs((from + to) / 2 - middle) > 1;
      return (
        isAside &&
        markup`<line class="pointer" x1="${px(middle)}" y1="${px(baseline(row) + 3)}" x2="${px((from + to) / 2)}" y2="${px(top)}"/>`
      );
    }),
    bands.map(({ name, middle, row }) => label('stage', middle, baseline(row), 'middle', name)),
  ];
}

/** Baselines; their names stand at the right, apart from one another. */
function drawLevels(levels: readonly { readonly label: string; readonly at: number }[], across: Interval, down: Interval): Content {
  const places = spaced(
    levels.map(({ at }) => at),
    LINE,
    down,
  );
  return levels.map((level, i) => [
    horizontal('level', across, level.at),
    label('level-name', across.to + 6, (places[i] ?? level.at) + 4, 'start', level.label),
  ]);
}

function horizontal(kind: string, { from, to }: Interval, y: number): Markup {
  return markup`<line class="${kind}" x1="${px(from)}" y1="${px(y)}" x2="${px(to)}" y2="${px(y)}"/>`;
}

function label(kind: string, x: number, y: number, anchor: 'start' | 'middle' | 'end', text: string): Markup {
  return markup`<text class="${kind}" x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${text}</text>`;
}

function describe(
  start: number,
  last: LossCurve['points'][number],
  levels: readonly { readonly label: string; readonly loss: number }[],
  unit: string,
): string {
  const baselines = levels.map(({ label, loss }) => `${label} ${formatLoss(loss)}`).join(', ');
  return `From ${formatLoss(start)} to ${formatLoss(last.loss)} ${unit}, reached after ${Math.ceil(last.evaluations)} evaluations.${baselines === '' ? '' : ` For comparison: ${baselines}.`}`;
}

/** A little room above and below, and never an empty range. */
function padded(losses: readonly number[]): Interval {
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  const room = Math.max(1.15, (high / low) ** 0.05);
  return { from: low / room, to: high * room };
}

function drawable(loss: number): number {
  return Math.min(Math.max(loss, SMALLEST_LOSS), LARGEST_LOSS);
}

function shortNumber(value: number): string {
  if (value >= 1e5) return `10${superscript(Math.round(Math.log10(value)))}`;
  return String(Number(value.toPrecision(3)));
}

function superscript(exponent: number): string {
  return [...String(exponent)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)] ?? digit).join('');
}
