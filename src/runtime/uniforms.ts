// The random numbers behind sampling: a row's n-th draw depends on its own seed and n alone, never on its neighbours in a batch.

const MASK = (1n << 64n) - 1n;
const GOLDEN = 0x9e3779b97f4a7c15n;

/** The output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). */
function mix(state: bigint): bigint {
  let z = state & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/**
 * The `index`-th uniform of the stream `seed`: SplitMix64 started at mix(seed), read at a counter, so no state is kept.
 * @param seed a safe integer, negative allowed
 * @param index ≥ 0: the number of tokens the row has drawn before
 * @returns a multiple of 2⁻²⁴ in [0, 1), exact in float32
 */
export function uniformAt(seed: number, index: number): number {
  const start = mix(BigInt.asUintN(64, BigInt(seed)) + GOLDEN);
  return Number(mix(start + GOLDEN * BigInt(index + 1)) >> 40n) / 2 ** 24;
}
