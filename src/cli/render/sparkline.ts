// A curve in one line of text.

// Below this a loss is as good as none; it keeps the logarithm finite.
const SMALLEST_LOSS = 1e-4;
const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/**
 * Draws values as block characters, the smallest lowest and the largest highest.
 * A curve longer than `width` is cut into `width` stretches, each shown by its smallest value (what a loss curve reached there);
 * a stretch without a finite value is a space. A flat curve is drawn at the lowest level.
 */
export function sparkline(values: readonly number[], width: number): string {
  const points = values.length <= width ? [...values] : shortened(values, width);
  const finite = points.filter(Number.isFinite);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  return points
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      const level = span > 0 ? Math.round(((value - low) / span) * (LEVELS.length - 1)) : 0;
      return LEVELS[level] ?? ' ';
    })
    .join('');
}

/** A sparkline of values from 0 up: the lowest level is 0, not the smallest of them. At most `width` characters. */
export function profile(values: readonly number[], width: number): string {
  const drawn = sparkline([...values, 0], Math.min(values.length, width) + 1);
  return drawn.slice(0, -1);
}

/** A sparkline of losses on a logarithmic scale: the later, smaller gains of a search show beside its first leap. */
export function lossCurve(losses: readonly number[], width: number): string {
  return sparkline(
    losses.map((loss) => Math.log(Math.max(loss, SMALLEST_LOSS))),
    width,
  );
}

function shortened(values: readonly number[], width: number): number[] {
  return Array.from({ length: width }, (_, i) => {
    const from = Math.floor((i * values.length) / width);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / width));
    return Math.min(...values.slice(from, to).filter(Number.isFinite));
  });
}
