// Medians and spreads of a handful of samples.

export type Samples = readonly number[];

/** What was found at a time or place. */
export interface Sample {
  readonly at: number;
  readonly value: number;
}

export function median(samples: Samples): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function mean(samples: Samples): number {
  return samples.reduce((sum, value) => sum + value, 0) / samples.length;
}

/** The value that a share of the samples, 0…1, does not exceed. */
export function quantile(samples: Samples, share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** How much `value` grows with `at`, by least squares. */
export function slopeOf(samples: readonly Sample[]): number {
  const at = mean(samples.map((sample) => sample.at));
  const value = mean(samples.map((sample) => sample.value));
  const above = samples.reduce((sum, sample) => sum + (sample.at - at) * (sample.value - value), 0);
  const below = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0);
  return below === 0 ? 0 : above / below;
}

/** `median (minimum–maximum) unit`, or nothing where nothing was measured. */
export function spread(samples: Samples, unit: string): string {
  if (samples.length === 0) return '';
  const show = (value: number): string => value.toFixed(0);
  return `${show(median(samples))} ${unit} (${show(Math.min(...samples))}–${show(Math.max(...samples))})`;
}
