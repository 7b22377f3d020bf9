// Turns weight vectors into few-shot losses on a loaded base model: a population is scored as the rows of one batch.
import { BraidError } from '#src/http/braid-error.js';
import type { Digest } from '#src/ids/ids.js';
import type { Engine, Mixture, ScoreRow } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { Evaluate } from './evaluation-ledger.js';
import type { WeightVector } from './objective.js';

// A cancelled search ends after the call in progress, and a call must not hold the rows of a whole population over 256 examples.
const MOST_TOKENS_PER_CALL = 32_768;

export interface MixtureScoring {
  readonly engine: Engine;
  /** Digests of the candidates, in the order of the weights; all different. */
  readonly candidates: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  readonly signal?: AbortSignal;
}

/**
 * Semantics: loss(w) = −Σ log p(answer token) / number of answer tokens, over the tokens of all examples together under W₀ + Σ wᵢ·ΔWᵢ:
 * PyTorch's mean cross-entropy over the batch, as LoraHub computes it. A mixture under which the model computes no finite number has the loss Infinity.
 * @throws what the engine throws, save NOT_FINITE; the signal's reason when it is aborted
 */
export function createMixtureEvaluation({ engine, candidates, examples, signal }: MixtureScoring): Evaluate {
  const tokensPerVector = examples.reduce((sum, { ids }) => sum + ids.length, 0);
  const vectorsPerCall = Math.max(1, Math.floor(MOST_TOKENS_PER_CALL / tokensPerVector));

  const scoreCall = async (vectors: readonly WeightVector[]): Promise<number[]> => {
    signal?.throwIfAborted();
    const rows = vectors.flatMap((weights): ScoreRow[] => {
      const mixture = mixtureOf(weights, candidates);
      return examples.map(({ ids, from }) => ({ ids, from, mixture }));
    });
    try {
      const results = await engine.score(rows, signal === undefined ? {} : { signal });
      return vectors.map((_, i) => meanLoss(results.slice(i * examples.length, (i + 1) * examples.length).map(({ logprobs }) => logprobs)));
    } catch (error) {
      if (!(error instanceof BraidError) || error.code !== 'NOT_FINITE') throw error;
      // One bad mixture spoils the call: halve until it stands alone.
      if (vectors.length === 1) return [Infinity];
      const middle = Math.ceil(vectors.length / 2);
      return [...(await scoreCall(vectors.slice(0, middle))), ...(await scoreCall(vectors.slice(middle)))];
    }
  };

  return async (vectors) => {
    const losses: number[] = [];
    for (let i = 0; i < vectors.length; i += vectorsPerCall) losses.push(...(await scoreCall(vectors.slice(i, i + vectorsPerCall))));
    return losses;
  };
}

function mixtureOf(weights: WeightVector, candidates: readonly Digest[]): Mixture {
  return candidates.flatMap((digest, i) => {
    const weight = weights[i] ?? 0;
    return weight === 0 ? [] : [{ digest, weight }];
  });
}

function meanLoss(rows: readonly Float32Array[]): number {
  let sum = 0;
  let count = 0;
  for (const row of rows) {
    for (const logprob of row) sum -= logprob;
    count += row.length;
  }
  return sum / count;
}
