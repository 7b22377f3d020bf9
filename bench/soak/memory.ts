// Resident memory over time, and whether it grows.

export interface MemorySample {
  readonly minutes: number;
  readonly bytes: number;
}

/** Bytes a minute of the line that fits best (least squares). */
export function slopeOf(samples: readonly MemorySample[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const minutes = mean(samples.map((sample) => sample.minutes));
  const bytes = mean(samples.map((sample) => sample.bytes));
  const covariance = samples.reduce((sum, sample) => sum + (sample.minutes - minutes) * (sample.bytes - bytes), 0);
  const variance = samples.reduce((sum, sample) => sum + (sample.minutes - minutes) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}
