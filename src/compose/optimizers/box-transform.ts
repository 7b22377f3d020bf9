// Bounds for a searcher that lives in unbounded space: a smooth map onto the box, after pycma's BoxConstraintsLinQuadTransformation.
import { type Bounds } from './optimizer.js';

/**
 * Why a transform, not resampling, clipping or a penalty: every sample is usable (rejection dies where many coordinates sit on
 * the bound, as weights at ±1.5 do), the sampling distribution stays Gaussian (clipping piles points up on the faces and
 * collapses the covariance across them), and nothing is added to the values, so that they stay comparable with what the
 * baselines measured. The map is the identity except within `margin` of a bound, where it is quadratic with slope 0 at the bound.
 */
export interface BoxTransform {
  /** From any point to the point of the box. */
  readonly toBox: (free: readonly number[]) => number[];
  /** A free point that `toBox` maps onto the given point of the box. */
  readonly fromBox: (inside: readonly number[]) => number[];
}

/** The transform onto a box already checked by `assertBox`. */
export function createBoxTransform(bounds: Bounds): BoxTransform {
  const axes = bounds.lower.map((lower, i) => {
    const upper = bounds.upper[i] ?? NaN;
    const half = (upper - lower) / 2;
    // pycma's widths of the quadratic zones.
    return { lower, upper, lowMargin: Math.min(half, (1 + Math.abs(lower)) / 20), highMargin: Math.min(half, (1 + Math.abs(upper)) / 20) };
  });
  return {
    toBox: (free) =>
      axes.map(({ lower, upper, lowMargin, highMargin }, i) => {
        const y = mirrored(free[i] ?? NaN, lower - lowMargin, upper + highMargin);
        if (y < lower + lowMargin) return clamp(lower + (y - (lower - lowMargin)) ** 2 / (4 * lowMargin), lower, upper);
        if (y > upper - highMargin) return clamp(upper - (y - (upper + highMargin)) ** 2 / (4 * highMargin), lower, upper);
        return y;
      }),
    fromBox: (inside) =>
      axes.map(({ lower, upper, lowMargin, highMargin }, i) => {
        const x = inside[i] ?? NaN;
        if (x < lower + lowMargin) return lower - lowMargin + 2 * Math.sqrt(lowMargin * (x - lower));
        if (x > upper - highMargin) return upper + highMargin - 2 * Math.sqrt(highMargin * (upper - x));
        return x;
      }),
  };
}

/** Folds the line onto [low, high] by mirroring at both ends. */
function mirrored(y: number, low: number, high: number): number {
  if (y >= low && y <= high) return y;
  const period = 2 * (high - low);
  const offset = (((y - low) % period) + period) % period;
  return low + (offset <= high - low ? offset : period - offset);
}

function clamp(x: number, lower: number, upper: number): number {
  return Math.min(upper, Math.max(lower, x));
}
