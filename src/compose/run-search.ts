// One search from examples and candidates to parts, recipe and report, on an engine; no database here.
import { setTimeout as sleep } from 'node:timers/promises';
import { BraidError } from '#src/http/braid-error.js';
import type { Engine } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { failCompose } from './compose.errors.js';
import type { Evaluate } from './evaluate.js';
import { composeWeights, DEFAULT_STRATEGY, NothingEvaluable } from './compose-weights.js';
import type { LedgerProgress } from './evaluation-ledger.js';
import { LORAHUB_OBJECTIVE } from './objective.js';
import { type CompositionPart, type CompositionReport, createReport, partsOf, type Recipe } from './report.js';
import { createMixtureEvaluation } from './score-mixtures.js';

export interface SearchInput {
  readonly engine: Engine;
  readonly base: Recipe['base'];
  readonly candidates: Recipe['candidates'];
  readonly examples: readonly TokenizedExample[];
  readonly examplesDigest: Recipe['examples']['digest'];
  readonly optimizer: Recipe['optimizer'];
  readonly space: Recipe['space'];
  readonly seed: number;
  readonly budget: number;
  /** Puts a memory before the model: an evaluation in, an evaluation of the same answers out. */
  readonly remember?: (evaluate: Evaluate) => Evaluate;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LedgerProgress) => void;
}

export interface SearchOutcome {
  readonly parts: readonly CompositionPart[];
  readonly recipe: Recipe;
  readonly report: CompositionReport;
}

/** @throws BraidError NOTHING_EVALUABLE and what the engine throws; the signal's reason when it is aborted */
export async function runSearch(input: SearchInput): Promise<SearchOutcome> {
  const { engine, base, candidates, examples, optimizer, space, seed, budget, remember, signal, onProgress } = input;
  const startedAt = performance.now();
  const evaluate = createMixtureEvaluation({
    engine,
    candidates: candidates.map(({ digest }) => digest),
    examples,
    space,
    ...(signal !== undefined && { signal }),
  });
  const patient: Evaluate = (requests) => patiently(() => evaluate(requests), signal);
  const composed = await composeWeights({
    candidates: candidates.length,
    evaluate: remember === undefined ? patient : remember(patient),
    exampleCount: examples.length,
    objective: LORAHUB_OBJECTIVE,
    budget,
    seed,
    optimizer,
    ...(onProgress !== undefined && { onProgress }),
  }).catch((error: unknown) => {
    if (error instanceof NothingEvaluable) throw failCompose('NOTHING_EVALUABLE', {}, error);
    throw error;
  });
  const recipe: Recipe = {
    format: 1,
    base,
    candidates,
    space,
    strategy: { name: 'select-then-search', settings: DEFAULT_STRATEGY },
    optimizer,
    seed,
    budget,
    objective: LORAHUB_OBJECTIVE,
    examples: {
      count: examples.length,
      answerTokens: examples.reduce((sum, { ids, from }) => sum + ids.length - from, 0),
      digest: input.examplesDigest,
    },
  };
  const seconds = (performance.now() - startedAt) / 1000;
  return { parts: partsOf(composed, candidates), recipe, report: createReport(composed, candidates, { budget, seconds }) };
}

// The engine says what passes (a full queue, a worker that is started again); a search of minutes should not die of it.
const WAITS_MS = [500, 2_000, 8_000] as const;

async function patiently<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (const waitMs of WAITS_MS) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof BraidError) || !error.retryable || signal?.aborted === true) throw error;
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    }
  }
  return attempt();
}
