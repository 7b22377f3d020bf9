// Rotary frequencies in float64, after transformers' modeling_rope_utils.py, wave by wave, and from nothing in kernels/.
import type { Rope } from '#kernels/nn/rope-frequencies.js';

/** Radians a position of each pair. */
export function referenceFrequencies({ theta, dim, scaling }: Rope): number[] {
  return Array.from({ length: dim / 2 }, (_, pair) => {
    const frequency = 1 / Math.pow(theta, (2 * pair) / dim);
    const wavelength = (2 * Math.PI) / frequency;
    if (!scaling) return frequency;
    const interpolated = frequency / scaling.factor;
    if (scaling.type === 'linear') return interpolated;
    if (scaling.type === 'llama3') {
      const [longest, shortest] = [
        scaling.originalPositions / scaling.lowFrequencyFactor,
        scaling.originalPositions / scaling.highFrequencyFactor,
      ];
      if (wavelength > longest) return interpolated;
      if (wavelength < shortest) return frequency;
      const smooth =
        (scaling.originalPositions / wavelength - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor);
      return (1 - smooth) * interpolated + smooth * frequency;
    }
    // The pair whose wave turns so often within the original context.
    const findDim = (rotations: number): number =>
      (dim * Math.log(scaling.originalPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
    let [low, high] = [findDim(scaling.betaFast), findDim(scaling.betaSlow)];
    if (scaling.isTruncated) [low, high] = [Math.floor(low), Math.ceil(high)];
    [low, high] = [Math.max(low, 0), Math.min(high, dim - 1)];
    if (low === high) high += 0.001;
    const extrapolated = 1 - Math.min(Math.max((pair - low) / (high - low), 0), 1);
    return interpolated * (1 - extrapolated) + frequency * extrapolated;
  });
}

/** The factor on cosine and sine. */
export function referenceMagnitude({ scaling }: Rope): number {
  return scaling?.type === 'yarn' ? scaling.magnitude : 1;
}
