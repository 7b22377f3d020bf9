// One search from examples and candidates to parts, recipe and report, on an engine; no database here.
import type { Digest } from '#src/ids/ids.js';
import type { Engine, Precision } from '#src/runtime/engine.js';
import { patiently } from '#src/runtime/patiently.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { failCompose } from './compose.errors.js';
import type { Evaluate, ExampleLoss } from './evaluate.js';
import { composeWeights, NothingEvaluable } from './pipeline.js';
import type { Strategy } from './strategy.js';
import { EvaluationLedger, type LedgerProgress } from './evaluation-ledger.js';
import { type Objective } from './objective.js';
import { createMeasuredEvaluation, type ExampleMeasure } from './objectives/example-measure.js';
import { guessOf, type NamedObjective, tiesOf, wordsOf } from './objectives/objectives.js';
import { type CompositionPart, type CompositionReport, createReport, partsOf, type Recipe, type ReportFacts } from './report.js';
import { createMixtureEvaluation } from './score-mixtures.js';
import { measureUnprompted } from './stages/measure-unprompted.js';

export interface SearchInput {
  readonly engine: Engine;
  readonly base: Recipe['base'];
  readonly candidates: Recipe['candidates'];
  /** As the objective measures them. */
  readonly examples: ExampleMeasure;
  readonly objective: NamedObjective & Objective;
  readonly examplesDigest: Recipe['examples']['digest'];
  /** How the candidates were found; for the recipe. */
  readonly retrieval?: Recipe['retrieval'];
  readonly strategy: Strategy;
  readonly warmStart?: readonly number[];
  /** What `examples` have in front of them; absent where nothing. */
  readonly shots?: Shots;
  /** The examples with the others in the prompt, measured alike; undefined where that cannot be, and where they have shots. */
  readonly prompted?: ExampleMeasure | undefined;
  readonly space: Recipe['space'];
  /** What the search goes by; what comes of it is measured in float32. @default 'float32' */
  readonly precision?: Precision;
  readonly seed: number;
  readonly budget: number;
  /** Puts a memory before the model: an evaluation in, an evaluation of the same answers out. */
  readonly remember?: (evaluate: Evaluate, of: EvaluationOf) => Evaluate;
  /** Of the objective `reward`: puts the rewards of the answers into the losses of rows. */
  readonly judge?: (evaluateRows: Evaluate, of: JudgedEvaluationOf) => Evaluate;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LedgerProgress) => void;
}

/** Other examples in front of each one. */
export interface Shots {
  readonly count: number;
  /** By how many tokens they lengthen a request. */
  readonly tokens: number;
  /** The examples without them. */
  readonly unprompted: ExampleMeasure;
}

/** What an evaluation is of: its weights are those of these candidates, its indices those of these rows of tokens. */
export interface EvaluationOf {
  readonly candidates: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  readonly precision: Precision;
}

export interface JudgedEvaluationOf extends EvaluationOf {
  /** Other examples stand in front, so that an answer ends as they do. */
  readonly isPrompted: boolean;
}

export interface SearchOutcome {
  readonly parts: readonly CompositionPart[];
  readonly recipe: Recipe;
  readonly report: CompositionReport;
}

/** @throws BraidError NOTHING_EVALUABLE and what the engine throws; the signal's reason when it is aborted */
export async function runSearch(input: SearchInput): Promise<SearchOutcome> {
  const {
    base,
    space,
    candidates,
    strategy,
    objective,
    warmStart,
    prompted,
    shots,
    seed,
    budget,
    precision = 'float32',
    onProgress,
  } = input;
  const { examples } = input.examples;
  const startedAt = performance.now();
  const digests = candidates.map(({ digest }) => digest);
  // Behind examples the base is often better than any adapter at full weight, so the search is to know that point.
  const start = warmStart ?? (shots === undefined ? undefined : candidates.map(() => 0));
  const composed = await composeWeights({
    candidates: candidates.length,
    evaluate: measuredEvaluation(input.examples, digests, input),
    ...(precision !== 'float32' && { estimate: measuredEvaluation(input.examples, digests, input, precision) }),
    exampleCount: examples.length,
    objective,
    guess: guessOf(objective),
    ties: tiesOf(objective),
    budget,
    seed,
    strategy,
    ...(start !== undefined && { warmStart: start }),
    ...(prompted !== undefined && { prompted: () => scoreBase(prompted, input) }),
    ...(shots !== undefined && {
      unprompted: (options) =>
        measureUnprompted(
          new EvaluationLedger({
            evaluate: measuredEvaluation(shots.unprompted, digests, input),
            exampleCount: examples.length,
            objective,
            budget: candidates.length + 1,
          }),
          options,
        ),
    }),
    ...(onProgress !== undefined && { onProgress }),
  }).catch((error: unknown) => {
    if (error instanceof NothingEvaluable) throw failCompose('NOTHING_EVALUABLE', {}, error);
    throw error;
  });
  const recipe: Recipe = {
    format: 1,
    base,
    candidates,
    ...(input.retrieval !== undefined && { retrieval: input.retrieval }),
    space,
    ...(precision !== 'float32' && { precision }),
    strategy,
    seed,
    budget,
    objective,
    ...(warmStart !== undefined && { warmStart }),
    ...(shots !== undefined && { shots: { count: shots.count, tokens: shots.tokens } }),
    examples: {
      count: examples.length,
      answerTokens: examples.reduce((sum, { ids, from }) => sum + ids.length - from, 0),
      digest: input.examplesDigest,
    },
  };
  const facts: ReportFacts = {
    measures: wordsOf(objective),
    budget,
    seconds: (performance.now() - startedAt) / 1000,
    promptTokens: promptLengths(input),
    ...(shots !== undefined && { shots: shots.count }),
  };
  return { parts: partsOf(composed, candidates), recipe, report: createReport(composed, candidates, facts) };
}

/** The objective's losses on the engine, patiently, of what is scored through the memory where there is one, and judged where that is asked for. */
function measuredEvaluation(
  measure: ExampleMeasure,
  candidates: readonly Digest[],
  input: SearchInput,
  precision: Precision = 'float32',
): Evaluate {
  const { examples, prompted, shots, judge } = input;
  const of: EvaluationOf = { candidates, examples: measure.rows, precision };
  const rows = evaluationOf(of, input);
  const isPrompted = measure === prompted || (shots !== undefined && measure === examples);
  return createMeasuredEvaluation(measure, judge === undefined ? rows : judge(rows, { ...of, isPrompted }));
}

function evaluationOf(of: EvaluationOf, { engine, space, remember, signal }: SearchInput): Evaluate {
  const evaluate = createMixtureEvaluation({ engine, ...of, space, ...(signal !== undefined && { signal }) });
  const patient: Evaluate = (requests) => patiently(() => evaluate(requests), signal);
  return remember === undefined ? patient : remember(patient, of);
}

/** Losses of the base alone. */
async function scoreBase(measure: ExampleMeasure, input: SearchInput): Promise<readonly ExampleLoss[]> {
  const [losses = []] = await measuredEvaluation(measure, [], input)([{ weights: [], examples: [...measure.examples.keys()] }]);
  return losses;
}

function promptLengths({ examples, prompted, shots }: SearchInput): CompositionReport['promptTokens'] {
  if (shots !== undefined) return { plain: meanPromptLength(shots.unprompted.examples), prompted: meanPromptLength(examples.examples) };
  return { plain: meanPromptLength(examples.examples), prompted: prompted === undefined ? null : meanPromptLength(prompted.examples) };
}

function meanPromptLength(examples: readonly TokenizedExample[]): number {
  return examples.reduce((sum, { from }) => sum + from, 0) / examples.length;
}
