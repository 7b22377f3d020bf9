// How much memory everything that computes takes: the one place to change when it is not this process alone.

/** Resident bytes, after what is garbage here is gone. */
export function measureResidentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

/** Bytes that are added with each step, by least squares over samples at equal distances. */
export function slopeOf(samples: readonly number[]): number {
  const middle = (samples.length - 1) / 2;
  const average = samples.reduce((sum, value) => sum + value, 0) / samples.length;
  let above = 0;
  let below = 0;
  for (const [i, value] of samples.entries()) {
    above += (i - middle) * (value - average);
    below += (i - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
