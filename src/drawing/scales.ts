// Where things go on a drawing: ticks of axes, and labels that do not lie on one another. Numbers only.

export interface Interval {
  readonly from: number;
  readonly to: number;
}

const MOST_LOG_TICKS = 7;

/** A coordinate to a tenth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Round values within a positive range, for a logarithmic axis: 1, 2 and 5 of every decade, or whole decades where there are many. */
export function logarithmicTicks({ from, to }: Interval): number[] {
  const lowest = Math.floor(Math.log10(from));
  const highest = Math.ceil(Math.log10(to));
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = range(lowest, highest, 1).flatMap((decade) => steps.map((step) => step * 10 ** decade));
    const within = ticks.filter((tick) => tick >= from && tick <= to);
    // A range this narrow is as good as linear.
    if (within.length < 2) return multiples(roundStep((to - from) / 3), { from, to });
    if (within.length <= MOST_LOG_TICKS) return within;
  }
  const stride = Math.ceil((highest - lowest) / MOST_LOG_TICKS);
  return range(lowest, highest, stride)
    .map((decade) => 10 ** decade)
    .filter((tick) => tick >= from && tick <= to);
}

/** Round whole values from 0 to `end`, at most about `most` of them. */
export function linearTicks(end: number, most: number): number[] {
  return multiples(Math.max(1, roundStep(end / most)), { from: 0, to: end });
}

/** The next of 1, 2 and 5 times a power of ten. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}

function multiples(step: number, { from, to }: Interval): number[] {
  return range(Math.ceil(from / step), Math.floor(to / step + 1e-9), 1).map((count) => count * step);
}

/** The positions nearest to these that keep `gap` between them, in their order; within bounds as far as there is room. */
export function spaced(positions: readonly number[], gap: number, { from, to }: Interval): number[] {
  const order = [...positions.keys()].sort((a, b) => (positions[a] ?? 0) - (positions[b] ?? 0));
  const placed: number[] = [];
  for (const index of order) placed.push(Math.max(positions[index] ?? 0, (placed.at(-1) ?? from - gap) + gap));
  // Back up from the end what was pushed over it.
  for (let i = placed.length - 1, limit = to; i >= 0; i--, limit = (placed[i + 1] ?? to) - gap) placed[i] = Math.min(placed[i] ?? 0, limit);
  const result = new Array<number>(positions.length).fill(0);
  for (const [i, index] of order.entries()) result[index] = placed[i] ?? 0;
  return result;
}

/** Labels in rows, the lowest row first, so that none lies on another; each is moved into the bounds. */
export function stacked(
  labels: readonly { readonly middle: number; readonly width: number }[],
  { from, to }: Interval,
): { readonly middle: number; readonly row: number }[] {
  const ends: number[] = [];
  return labels.map(({ middle, width }) => {
    const moved = Math.min(Math.max(middle, from + width / 2), Math.max(to - width / 2, from + width / 2));
    const free = ends.findIndex((end) => end <= moved - width / 2);
    const row = free < 0 ? ends.length : free;
    ends[row] = moved + width / 2 + GAP;
    return { middle: moved, row };
  });
}

/** Between labels of one row. */
const GAP = 8;

function range(first: number, last: number, step: number): number[] {
  const count = Math.max(0, Math.floor((last - first) / step + 1e-9) + 1);
  return Array.from({ length: count }, (_, i) => first + i * step);
}
