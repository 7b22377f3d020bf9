// The interval of a proportion (Wilson 1927): unlike the bootstrap's it has a width where all examples agree.
import type { Estimate } from './bootstrap.js';
import { normalQuantile } from './distributions.js';

/**
 * The score interval: the proportions p with |p̂ − p| ≤ z·√(p(1 − p)/n).
 * @param level share of samples whose interval holds the true proportion. @default 0.95
 * @throws RangeError unless 0 ≤ hits ≤ count, both whole, count ≥ 1
 */
export function wilsonInterval(hits: number, count: number, level = 0.95): Estimate {
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(hits) || hits < 0 || hits > count) {
    throw new RangeError(`${hits} of ${count} is not a proportion`);
  }
  const value = hits / count;
  const z2 = normalQuantile((1 + level) / 2) ** 2;
  const middle = (value + z2 / (2 * count)) / (1 + z2 / count);
  const half = Math.sqrt(z2 * ((value * (1 - value)) / count + z2 / (4 * count * count))) / (1 + z2 / count);
  // At the ends the formula is 0 and 1 but for rounding.
  return { value, low: hits === 0 ? 0 : middle - half, high: hits === count ? 1 : middle + half };
}
