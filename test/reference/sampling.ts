// Penalties, biases and inverse-CDF sampling in float64, one row at a time, written independently of kernels/.
import { referenceSoftmax, type Vector } from './decoder.js';

export interface ReferenceSampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  /** @default 0 */
  readonly minP?: number;
}

export interface ReferenceAdjustment {
  readonly prompt?: readonly number[];
  readonly bias?: ReadonlyMap<number, number>;
  readonly allowed?: readonly number[];
  readonly stopTokens?: readonly number[];
  /** Of the whole answer. */
  readonly minTokens?: number;
  readonly repetition?: number;
  readonly presence?: number;
  readonly frequency?: number;
}

/** The logits by which the token behind `answer` is chosen. */
export function referenceAdjust(logits: Vector, answer: readonly number[], how: ReferenceAdjustment): number[] {
  const { prompt = [], bias, allowed, stopTokens = [], minTokens = 0, repetition = 1, presence = 0, frequency = 0 } = how;
  return logits.map((logit, token) => {
    if (allowed !== undefined && !allowed.includes(token)) return -Infinity;
    if (answer.length < minTokens && stopTokens.includes(token)) return -Infinity;
    let value = logit + (bias?.get(token) ?? 0);
    const count = answer.filter((id) => id === token).length;
    if (count > 0 || prompt.includes(token)) value = value > 0 ? value / repetition : value * repetition;
    return value - frequency * count - (count > 0 ? presence : 0);
  });
}

/** Tokens that may be drawn, most likely first, with their renormalised masses: min-p, then top-k, then top-p on what they leave. */
export function referenceNucleus(
  logits: Vector,
  { temperature, topK, topP, minP = 0 }: ReferenceSampling,
): { token: number; mass: number }[] {
  const all = referenceSoftmax(logits.map((logit) => logit / temperature));
  const least = minP * Math.max(...all);
  const likely = logits.map((_, token) => token).filter((token) => (all[token] ?? NaN) >= least);
  const order = likely.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
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
