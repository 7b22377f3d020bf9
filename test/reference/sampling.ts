// Inverse-CDF sampling in float64, one row at a time, written independently of kernels/.
import { referenceSoftmax, type Vector } from './decoder.js';

export interface ReferenceSampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

/** Tokens that may be drawn, most likely first, with their renormalised masses: top-k, then top-p on what it leaves. */
export function referenceNucleus(logits: Vector, { temperature, topK, topP }: ReferenceSampling): { token: number; mass: number }[] {
  const order = logits.map((_, token) => token).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const masses = referenceSoftmax(kept.map((token) => (logits[token] ?? NaN) / temperature));
  let before = 0;
  const nucleus: { token: number; mass: number }[] = [];
  for (const [rank, token] of kept.entries()) {
    const mass = masses[rank] ?? NaN;
    if (topP < 1 && before >= topP) break;
    nucleus.push({ token, mass });
    before += mass;
  }
  return nucleus.map(({ token, mass }) => ({ token, mass: mass / before }));
}

/** The token whose share of [0, 1) holds `uniform`: shares lie in vocabulary order, or sorted when the row has a limit. */
export function referenceSample(logits: Vector, sampling: ReferenceSampling, uniform: number): number {
  if (sampling.temperature === 0) return logits.indexOf(Math.max(...logits));
  const hasLimit = sampling.topK > 0 || sampling.topP < 1;
  const nucleus = referenceNucleus(logits, sampling);
  const shares = hasLimit ? nucleus : nucleus.toSorted((a, b) => a.token - b.token);
  let sum = 0;
  for (const { token, mass } of shares) {
    sum += mass;
    if (uniform < sum) return token;
  }
  return shares.at(-1)?.token ?? NaN;
}
