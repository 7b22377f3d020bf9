// Minimises a smooth function plus a price on the sum of magnitudes, within a box: proximal gradient steps, so that weights can become 0.
// Parikh & Boyd, Proximal Algorithms (2014), §4.2 and §6.5.2; step lengths by Barzilai & Borwein (1988).

const STEPS = 60;
/** How far the first step goes in its longest direction (weights). */
const FIRST_STEP = 0.1;
/** Step lengths stay within these; a gradient of 1 moves a weight by so much. */
const SHORTEST = 1e-4;
const LONGEST = 10;

export interface Sloped {
  readonly value: number;
  /** [d] */
  readonly gradient: ArrayLike<number>;
}

export interface Minimum {
  readonly point: readonly number[];
  /** With the price. */
  readonly value: number;
}

/** @param price of Σ|x| @param bound of every |x| */
export function minimise(
  f: (point: readonly number[]) => Sloped,
  { start, price, bound }: { readonly start: readonly number[]; readonly price: number; readonly bound: number },
): Minimum {
  let point = start.map((x) => clamp(x, bound));
  let here = f(point);
  let best = { point, value: here.value + price * sumOfMagnitudes(point) };
  const steepest = Math.max(...Array.from(here.gradient, Math.abs));
  let length = Math.min(LONGEST, Math.max(SHORTEST, FIRST_STEP / (steepest || 1)));
  for (let step = 0; step < STEPS; step++) {
    const next = point.map((x, i) => clamp(shrink(x - length * (here.gradient[i] ?? 0), length * price), bound));
    const there = f(next);
    const moved = next.map((x, i) => x - (point[i] ?? 0));
    const squared = moved.reduce((sum, x) => sum + x * x, 0);
    if (squared < 1e-16) break;
    const curved = moved.reduce((sum, x, i) => sum + x * ((there.gradient[i] ?? 0) - (here.gradient[i] ?? 0)), 0);
    length = curved > 0 ? Math.min(LONGEST, Math.max(SHORTEST, squared / curved)) : Math.min(LONGEST, 2 * length);
    [point, here] = [next, there];
    const value = there.value + price * sumOfMagnitudes(next);
    if (value < best.value) best = { point, value };
  }
  return best;
}

/** The proximal operator of t·|x|. */
function shrink(x: number, t: number): number {
  return Math.abs(x) <= t ? 0 : x - Math.sign(x) * t;
}

function clamp(x: number, bound: number): number {
  return Math.min(bound, Math.max(-bound, x));
}

function sumOfMagnitudes(point: readonly number[]): number {
  return point.reduce((sum, x) => sum + Math.abs(x), 0);
}
