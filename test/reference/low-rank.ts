// Updates of low rank as full matrices in float64, for tests of what is computed from factors alone.

export interface LowRankFactors {
  readonly rank: number;
  readonly scale: number;
  /** A [rank, dIn] */
  readonly a: ArrayLike<number>;
  /** B [dOut, rank] */
  readonly b: ArrayLike<number>;
}

/** s·B·A [dOut, dIn], row by row. */
export function deltaOf({ rank, scale, a, b }: LowRankFactors): Float64Array {
  const dIn = a.length / rank;
  const dOut = b.length / rank;
  return Float64Array.from({ length: dOut * dIn }, (_, at) => {
    const [out, column] = [Math.floor(at / dIn), at % dIn];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (b[out * rank + r] ?? NaN) * (a[r * dIn + column] ?? NaN);
    return scale * sum;
  });
}

/** Σ xᵢyᵢ */
export function innerProduct(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < Math.max(x.length, y.length); i++) sum += (x[i] ?? NaN) * (y[i] ?? NaN);
  return sum;
}

/** √Σ xᵢ² */
export function frobeniusNorm(x: ArrayLike<number>): number {
  return Math.sqrt(innerProduct(x, x));
}
