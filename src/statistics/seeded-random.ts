// A small random stream whose whole state is four integers: xoshiro128** (Blackman & Vigna 2018), seeded by splitmix32.

/** The four 32-bit words of xoshiro128**, unsigned, not all zero. */
export type RandomState = readonly [number, number, number, number];

export class SeededRandom {
  private words: [number, number, number, number];

  private constructor(words: RandomState) {
    this.words = [...words];
  }

  /** @param seed any safe integer ≥ 0; different seeds give unrelated streams */
  static fromSeed(seed: number): SeededRandom {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed ${seed}: must be an integer from 0 to 2^53 - 1`);
    const mix = splitMix(seed >>> 0);
    const high = splitMix(Math.floor(seed / 2 ** 32));
    const words: RandomState = [mix() ^ high(), mix(), mix() ^ high(), mix()].map((word) => word >>> 0) as [number, number, number, number];
    return new SeededRandom(words.every((word) => word === 0) ? [1, 0, 0, 0] : words);
  }

  static restore(state: RandomState): SeededRandom {
    return new SeededRandom(state);
  }

  snapshot(): RandomState {
    return [...this.words];
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniform(): number {
    const high = this.word() >>> 5;
    const low = this.word() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** A whole number from 0 to limit − 1, limit ≤ 2^20; one word, so that no value is likelier than another by more than limit/2^32. */
  below(limit: number): number {
    return Math.floor((this.word() / 2 ** 32) * limit);
  }

  /** Standard normal by Box-Muller; the second value is not kept, so that the words are the whole state. */
  gaussian(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  private word(): number {
    const [a, b, c, d] = this.words;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    const c1 = c ^ a;
    const d1 = d ^ b;
    this.words = [(a ^ d1) >>> 0, (b ^ c1) >>> 0, (c1 ^ shifted) >>> 0, rotateLeft(d1, 11) >>> 0];
    return result;
  }
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function splitMix(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}
