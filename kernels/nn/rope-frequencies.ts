// How fast each pair of a head's numbers turns, and how the scalings for longer contexts slow it down; in float64, as plain functions.

/** A stretch of RoPE to contexts longer than those of the first training. */
export type RopeScaling =
  /** Position interpolation (Chen et al. 2023, arXiv:2306.15595): every frequency / factor. */
  | { readonly type: 'linear'; readonly factor: number }
  /** Llama 3.1: long waves / factor, short ones kept, those between blended. */
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  /** YaRN (Peng et al. 2023, arXiv:2309.00071). */
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly originalPositions: number;
      /** Whether the ramp's ends are whole numbers. */
      readonly isTruncated: boolean;
      /** Factor on cosine and sine. */
      readonly magnitude: number;
    };

export interface Rope {
  readonly theta: number;
  /** Leading numbers of a head that turn, even; the others stay. */
  readonly dim: number;
  readonly scaling?: RopeScaling;
}

/** Keeps YaRN's ramp from dividing by zero, as transformers does. */
const SMALLEST_RAMP = 0.001;

/** Radians a position for each pair (i, i + dim/2): θ^(−2i/dim), scaled. */
export function computeFrequencies({ theta, dim, scaling }: Rope): number[] {
  const plain = Array.from({ length: dim / 2 }, (_, i) => theta ** ((-2 * i) / dim));
  switch (scaling?.type) {
    case undefined:
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'llama3':
      return plain.map((frequency) => scaleLlama3(frequency, scaling));
    case 'yarn':
      return scaleYarn(plain, theta, dim, scaling);
  }
}

/** transformers' `_compute_llama3_parameters`. */
function scaleLlama3(frequency: number, scaling: RopeScaling & { type: 'llama3' }): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalPositions } = scaling;
  const waves = (originalPositions * frequency) / (2 * Math.PI);
  if (waves > highFrequencyFactor) return frequency;
  if (waves < lowFrequencyFactor) return frequency / factor;
  const share = (waves - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return (1 - share) * (frequency / factor) + share * frequency;
}

/** Section 3.2, "NTK-by-parts": pairs before the ramp keep their frequency, those behind it are interpolated. */
function scaleYarn(plain: readonly number[], theta: number, dim: number, scaling: RopeScaling & { type: 'yarn' }): number[] {
  const { factor, betaFast, betaSlow, originalPositions, isTruncated } = scaling;
  const pairTurning = (turns: number): number => (dim * Math.log(originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const first = Math.max(0, isTruncated ? Math.floor(pairTurning(betaFast)) : pairTurning(betaFast));
  const last = Math.min(dim - 1, isTruncated ? Math.ceil(pairTurning(betaSlow)) : pairTurning(betaSlow));
  const length = last === first ? SMALLEST_RAMP : last - first;
  return plain.map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - first) / length));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
}
