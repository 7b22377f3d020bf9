// The last check before an adapter becomes visible: on the model itself, merging it and applying it beside the weights must agree, and it must matter.
import { BraidError } from '#src/http/braid-error.js';
import { type Digest } from '#src/ids/ids.js';
import { fail as failPeft } from '#src/peft/peft.errors.js';
import { type Engine, type ScoreResult } from '#src/runtime/engine.js';
import { type TextCodec } from '#src/tokenizer/text-codec.js';
import { fail } from './publish.errors.js';

/** A text to score; the tokens from `from` on count. */
export interface ProbeRow {
  readonly ids: readonly number[];
  readonly from: number;
}

export interface EngineCheck {
  /** Tokens whose log-probabilities were compared. */
  readonly tokens: number;
  /** max |Δ log-probability| between merged and factored application. */
  readonly maxDeviation: number;
  /** max |Δ log-probability| between the base with the adapter and the base alone. */
  readonly maxEffect: number;
  /** Mean log-probability of the tokens under the base alone, and with the adapter. */
  readonly baseLogprob: number;
  readonly adapterLogprob: number;
}

/** float32 sums in another order differ by some 1e-5 on the models at hand. */
export const MAX_DEVIATION = 1e-3;
/** Log-probabilities of hundreds have fewer digits left behind the point. */
const RELATIVE_DEVIATION = 1e-4;
const PROBE_TEXT = 'The quick brown fox jumps over the lazy dog. Question: what is 2 + 2?\nAnswer:';
const PROBE_TOKENS = 24;
const MAX_EXAMPLES = 3;
const MAX_EXAMPLE_TOKENS = 96;

/** A fixed text, filled up with fixed tokens where the model's tokenizer has few for it, and the publisher's first examples. */
export function createProbe(
  codec: TextCodec,
  engine: Pick<Engine, 'contextLength' | 'vocabularySize'>,
  examples: readonly ProbeRow[],
): ProbeRow[] {
  const { contextLength, vocabularySize } = engine;
  const text = codec.encode(PROBE_TEXT).filter((id) => id < vocabularySize);
  const filler = Array.from({ length: PROBE_TOKENS }, (_, i) => (i * 7919 + 5) % vocabularySize);
  const ids = [...text, ...filler].slice(0, Math.min(PROBE_TOKENS, contextLength));
  const chosen = examples.filter((row) => row.ids.length <= MAX_EXAMPLE_TOKENS && row.ids.length <= contextLength).slice(0, MAX_EXAMPLES);
  return [{ ids, from: 1 }, ...chosen];
}

/**
 * Scores the probe with the base alone, with the adapter beside the weights, and merged into them.
 * @throws BraidError ADAPTER_OVERFLOWS, ADAPTER_DEVIATES, ADAPTER_NO_EFFECT, or of runtime.errors.ts
 */
export async function verifyAdapter(engine: Engine, digest: Digest, probe: readonly ProbeRow[]): Promise<EngineCheck> {
  const withMixture = (mixture: { digest: Digest; weight: number }[]) => probe.map(({ ids, from }) => ({ ids, from, mixture }));
  const adapted = withMixture([{ digest, weight: 1 }]);
  let scored: readonly [ScoreResult[], ScoreResult[], ScoreResult[]];
  try {
    // The adapter first: the session that is made for its modules serves the base too, and is not made twice.
    const factored = await engine.score(adapted);
    scored = [await engine.score(withMixture([])), factored, await engine.score(adapted, { application: 'merged' })];
  } catch (error) {
    if (error instanceof BraidError && error.code === 'NOT_FINITE') {
      throw fail('ADAPTER_OVERFLOWS', { reason: 'the model computes numbers that are not finite with it' }, error);
    }
    throw error;
  }
  const [base, factored, merged] = scored.map((results) => results.flatMap(({ logprobs }) => [...logprobs])) as [
    number[],
    number[],
    number[],
  ];
  let maxDeviation = 0;
  let maxEffect = 0;
  for (const [i, value] of factored.entries()) {
    const deviation = Math.abs(value - (merged[i] ?? NaN));
    // Written so that NaN fails.
    if (!(deviation <= Math.max(MAX_DEVIATION, RELATIVE_DEVIATION * Math.abs(value)))) {
      throw fail('ADAPTER_DEVIATES', { found: deviation, allowed: MAX_DEVIATION });
    }
    maxDeviation = Math.max(maxDeviation, deviation);
    maxEffect = Math.max(maxEffect, Math.abs(value - (base[i] ?? NaN)));
  }
  if (!(maxEffect > 0)) {
    throw failPeft('ADAPTER_NO_EFFECT', { reason: 'its update is so small that float32 does not see it on the model' });
  }
  return { tokens: factored.length, maxDeviation, maxEffect, baseLogprob: mean(base), adapterLogprob: mean(factored) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
