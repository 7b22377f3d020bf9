// Numbers as the page writes them; what was not measured or is not finite is a dash.

export const NOTHING = '–';

/** Estimates that overflow are stored as the largest number. */
const OVERFLOW = 1e300;

/** A loss in nats: four decimals, fewer digits where it is large. */
export function formatLoss(loss: number | null | undefined): string {
  if (loss === null || loss === undefined || !Number.isFinite(loss) || Math.abs(loss) >= OVERFLOW) return NOTHING;
  if (loss !== 0 && Math.abs(loss) < 0.00005) return loss < 0 ? '> −0.0001' : '< 0.0001';
  if (Math.abs(loss) >= 1e6) return withMinus(loss.toExponential(1));
  return withMinus(loss.toFixed(Math.abs(loss) < 1000 ? 4 : 0));
}

/** The bounds of an interval of losses, to three digits at most: no estimate is better than that. */
export function formatInterval([low, high]: readonly [number, number]): string {
  return `${formatBound(low)} … ${formatBound(high)}`;
}

function formatBound(loss: number): string {
  if (!(loss < OVERFLOW)) return '∞';
  if (loss >= 1000 || (loss > 0 && loss < 0.0001)) return formatLoss(loss);
  return String(Number(loss.toPrecision(loss < 0.1 ? 2 : 3)));
}

/** A weight with its sign. */
export function formatWeight(weight: number): string {
  const text = withMinus(weight.toFixed(3));
  return weight > 0 ? `+${text}` : text;
}

/** A share from 0 to 1. */
export function formatPercent(share: number): string {
  if (!Number.isFinite(share)) return NOTHING;
  const percent = Math.round(share * 100);
  if (percent === 0 && share > 0) return '< 1 %';
  if (percent === 100 && share < 1) return '> 99 %';
  return `${percent} %`;
}

export function formatDuration(seconds: number): string {
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Evaluations; a part of one is a weight vector that was scored on a part of the examples. */
export function formatEvaluations(evaluations: number): string {
  return Number.isInteger(evaluations) ? String(evaluations) : evaluations.toFixed(1);
}

/** `1 adapter`, `2 adapters`. */
export function formatPlural(count: number, singular: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? singular : `${singular}s`}`;
}

function withMinus(text: string): string {
  return text.replace(/^-/, '−').replace(/e-/, 'e−');
}
