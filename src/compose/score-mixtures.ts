// Turns weight vectors into losses on a loaded base model: a population is scored as the rows of one batch.
import { BraidError } from '#src/http/braid-error.js';
import type { Digest } from '#src/ids/ids.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { Engine, Mixture, Precision, ScorePrecision, ScoreResult, ScoreRow } from '#src/runtime/engine.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { Evaluate, EvaluationRequest, ExampleLoss } from './evaluate.js';
import type { WeightVector } from './objective.js';

// A cancelled search ends after the call in progress, and a call must not hold the rows of a whole population over 256 examples.
const MOST_TOKENS_PER_CALL = 32_768;
// In factor space every weight vector is an adapter of its own, which a call holds in memory until it ends.
export const MOST_COMBINED_PER_CALL = 8;

const SCORED_IN = { float32: 'float32', float16: 'float16', int8: 'estimate' } as const satisfies Record<Precision, ScorePrecision>;

export interface MixtureScoring {
  readonly engine: Engine;
  /** Digests of the candidates, in the order of the weights; all different. */
  readonly candidates: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  readonly space: Space;
  /** Of the base's products. @default 'float32' */
  readonly precision?: Precision;
  readonly signal?: AbortSignal;
}

/**
 * Semantics: nll(w, example) = −Σ log p(answer token) under W₀ + Σ wᵢ·sᵢ·BᵢAᵢ, or in factor space W₀ + (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ).
 * A mixture under which the model computes no finite number has the loss Infinity.
 * @throws what the engine throws, save NOT_FINITE; the signal's reason when it is aborted
 */
export function createMixtureEvaluation({ engine, candidates, examples, space, precision = 'float32', signal }: MixtureScoring): Evaluate {
  const scoreCall = async (requests: readonly EvaluationRequest[]): Promise<ExampleLoss[][]> => {
    signal?.throwIfAborted();
    const rows = requests.flatMap(({ weights, examples: wanted }): ScoreRow[] => {
      const mixture = createWeightedMixture(weights, candidates, space);
      return wanted.map((index) => ({ ...exampleAt(examples, index), mixture }));
    });
    try {
      const results = await engine.score(rows, {
        topLogprobs: 1,
        background: true,
        precision: SCORED_IN[precision],
        ...(signal !== undefined && { signal }),
      });
      let next = 0;
      return requests.map(({ examples: wanted }) => wanted.map((index) => lossOf(exampleAt(examples, index), results[next++])));
    } catch (error) {
      if (!(error instanceof BraidError) || error.code !== 'NOT_FINITE') throw error;
      // One bad mixture spoils the call: halve until it stands alone.
      const [only] = requests;
      if (only !== undefined && requests.length === 1) {
        return [only.examples.map((index) => ({ nll: Infinity, tokens: answerTokens(exampleAt(examples, index)), isExact: false }))];
      }
      const middle = Math.ceil(requests.length / 2);
      return [...(await scoreCall(requests.slice(0, middle))), ...(await scoreCall(requests.slice(middle)))];
    }
  };

  return async (requests) => {
    const losses = requests.map((): ExampleLoss[] => []);
    for (const call of cutCalls(requests, examples, space)) {
      const scored = await scoreCall(call);
      for (const [i, { position }] of call.entries()) losses[position]?.push(...(scored[i] ?? []));
    }
    return losses;
  };
}

/** A request, or as many of its examples as a call may hold. */
interface Piece extends EvaluationRequest {
  /** The request's place among those that were asked. */
  readonly position: number;
}

/** Neighbouring requests within both limits together; one that is too large by itself is cut. */
function cutCalls(requests: readonly EvaluationRequest[], examples: readonly TokenizedExample[], space: Space): Piece[][] {
  const calls: Piece[][] = [];
  let tokens = Infinity;
  for (const { piece, size } of requests.flatMap((request, position) => cutRequest(request, position, examples))) {
    const isFull = space === 'factor' && calls.at(-1)?.length === MOST_COMBINED_PER_CALL;
    if (isFull || tokens + size > MOST_TOKENS_PER_CALL) {
      calls.push([]);
      tokens = 0;
    }
    calls.at(-1)?.push(piece);
    tokens += size;
  }
  return calls;
}

function cutRequest(
  { weights, examples: wanted }: EvaluationRequest,
  position: number,
  examples: readonly TokenizedExample[],
): { readonly piece: Piece; readonly size: number }[] {
  const pieces: { indices: number[]; size: number }[] = [];
  for (const index of wanted) {
    const { length } = exampleAt(examples, index).ids;
    let last = pieces.at(-1);
    if (last === undefined || last.size + length > MOST_TOKENS_PER_CALL) pieces.push((last = { indices: [], size: 0 }));
    last.indices.push(index);
    last.size += length;
  }
  return pieces.map(({ indices, size }) => ({ piece: { weights, examples: indices, position }, size }));
}

function exampleAt(examples: readonly TokenizedExample[], index: number): TokenizedExample {
  const example = examples[index];
  if (example === undefined) throw new RangeError(`there is no example ${index} among ${examples.length}`);
  return example;
}

function answerTokens({ ids, from }: TokenizedExample): number {
  return ids.length - from;
}

function lossOf(example: TokenizedExample, result: ScoreResult | undefined): ExampleLoss {
  if (result === undefined) throw new Error('the engine answered with fewer rows than it was asked for');
  const nll = result.logprobs.reduce((sum, logprob) => sum - logprob, 0);
  const isExact = result.top.every(({ ids }, i) => ids[0] === example.ids[example.from + i]);
  return { nll, tokens: answerTokens(example), isExact };
}

/** The mixture of a weight vector; candidates of weight 0 are left out. */
export function createWeightedMixture(weights: WeightVector, candidates: readonly Digest[], space: Space): Mixture {
  const parts = candidates.flatMap((digest, i) => {
    const weight = weights[i] ?? 0;
    return weight === 0 ? [] : [{ digest, weight }];
  });
  return createMixture({ space, parts });
}
