// The normal and Student's distribution, as far as intervals need them: short closed forms, inverted by bisection.

/** P(Z ≤ z) of a standard normal, absolute error below 1e-12: 1/2 + φ(z)·Σ z^(2k+1) / (1·3·…·(2k+1)) (Marsaglia 2004, eq. 3). */
export function normalCdf(z: number): number {
  // The series loses its digits in the far tail, where the probability is below 1e-15.
  if (z < -8) return 0;
  if (z > 8) return 1;
  let term = z;
  let sum = z;
  for (let k = 1; Math.abs(term) > Math.abs(sum) * 1e-17; k++) {
    term *= (z * z) / (2 * k + 1);
    sum += term;
  }
  return Math.min(1, Math.max(0, 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI)));
}

/** The z with P(Z ≤ z) = probability. @param probability 0.5 … 1 − 1e-12 */
export function normalQuantile(probability: number): number {
  return invert(normalCdf, probability);
}

/** The t with P(T ≤ t) = probability. @param probability 0.5 … 1 − 1e-9 @param degrees whole, ≥ 1 */
export function studentQuantile(probability: number, degrees: number): number {
  if (!Number.isInteger(degrees) || degrees < 1) throw new RangeError(`degrees of freedom ${degrees}: must be a whole number from 1`);
  return invert((t) => studentCdf(t, degrees), probability);
}

/** For t ≥ 0, by the finite sums for whole degrees (Abramowitz & Stegun 26.7.3 and 26.7.4). */
function studentCdf(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const cosine = Math.cos(angle);
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = isOdd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= ((k - 1) / k) * cosine * cosine;
    sum += term;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return (1 + within) / 2;
}

/** Inverts a rising distribution function right of its median. */
function invert(cdf: (x: number) => number, probability: number): number {
  if (!(probability >= 0.5 && probability < 1)) throw new RangeError(`probability ${probability}: must be from 0.5 to below 1`);
  let high = 1;
  while (cdf(high) < probability) high *= 2;
  let low = 0;
  // Halving ends at neighbouring doubles.
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (cdf(middle) < probability) low = middle;
    else high = middle;
  }
  return high;
}
