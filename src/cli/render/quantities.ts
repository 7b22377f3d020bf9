// Numbers as people read them: sizes, counts, durations, losses and weights, always with their unit.

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;
const COUNT_UNITS = ['', 'k', 'M', 'B', 'T'] as const;

/** Three significant digits in powers of 1000, e.g. 269060552 → `269 MB`. */
export function formatBytes(bytes: number): string {
  const { text, unit } = scaled(bytes, SIZE_UNITS);
  return `${text} ${unit}`;
}

/** Three significant digits in powers of 1000, e.g. 134515008 → `135M`. */
export function formatCount(count: number): string {
  const { text, unit } = scaled(count, COUNT_UNITS);
  return `${text}${unit}`;
}

function scaled(value: number, units: readonly string[]): { text: string; unit: string } {
  if (!Number.isFinite(value)) return { text: '–', unit: units[0] ?? '' };
  let step = 0;
  let rest = value;
  // 999.5 would print as 1000, so the next unit starts there.
  while (Math.abs(rest) >= 999.5 && step < units.length - 1) {
    rest /= 1000;
    step++;
  }
  const digits = step === 0 && Number.isInteger(rest) ? 0 : Math.abs(rest) < 9.995 ? 2 : Math.abs(rest) < 99.95 ? 1 : 0;
  return { text: rest.toFixed(digits), unit: units[step] ?? '' };
}

/** `0.4 s`, `12.3 s`, `3 min 5 s`, `2 h 4 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** How long ago: `just now`, `5 min ago`, `3 h ago`, `12 d ago`, then the date. */
export function formatAge(when: Date, now: Date): string {
  const minutes = Math.floor((now.getTime() - when.getTime()) / 60_000);
  if (!Number.isFinite(minutes)) return '–';
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`;
  if (minutes < 60 * 24 * 60) return `${Math.floor(minutes / 1440)} d ago`;
  return when.toISOString().slice(0, 10);
}

/** A loss in nats, to four decimals so that columns align; `–` when it is not finite. */
export function formatLoss(loss: number): string {
  return Number.isFinite(loss) ? loss.toFixed(4) : '–';
}

/** A weight with its sign and two decimals, with a real minus. */
export function formatWeight(weight: number): string {
  const text = Math.abs(weight).toFixed(2);
  if (text === '0.00') return ' 0.00';
  return weight < 0 ? `−${text}` : `+${text}`;
}

/** `1 adapter`, `2 adapters`. */
export function formatPlural(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

/** A share of 1 in per cent, to three significant digits: 0.0123 → `1.23 %`. */
export function formatPercent(share: number): string {
  return `${formatSignificant(100 * share)} %`;
}

/** Three significant digits, without an exponent where that is readable. */
export function formatSignificant(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
  return size >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}
