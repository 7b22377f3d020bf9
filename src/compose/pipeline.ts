// From candidates and examples to weights: screen → search → prune → baselines → (recheck) → validate → verdict, every stage a function by name, each with what it did and spent.
import type { Evaluate, ExampleLoss } from './evaluate.js';
import { type CurvePoint, type Evaluation, EvaluationLedger, type LedgerProgress } from './evaluation-ledger.js';
import type { Objective, WeightVector } from './objective.js';
import { searchForward } from './searches/forward-selection.js';
import { searchFromZero, searchInSpan } from './searches/population-search.js';
import type { SearchEnd, SearchMethod } from './searches/search-method.js';
import { searchWithSurrogate } from './searches/surrogate-search.js';
import { baselineCost, type Baselines, baselineVectors, measureBaselines } from './stages/measure-baselines.js';
import { createTrainingLedger, type HeldOutSplit, measureHeldOut, onPart, splitExamples } from './stages/hold-out.js';
import { behindPrompt, type Unprompted, type UnpromptedOptions } from './stages/measure-unprompted.js';
import { type Attribution, partsOf, prunes } from './stages/prune.js';
import { recheck, recheckCost } from './stages/recheck.js';
import { screens } from './stages/screen.js';
import { type Validation, validations } from './stages/validate.js';
import { decide, type Ties, type Verdict } from './stages/verdict.js';
import type { Strategy } from './strategy.js';

/** Candidates that screening scores on all examples. */
const FINALISTS = 5;
/** With fewer evaluations per candidate than this, those that fell out of screening are not scored on all examples. */
const AMPLE = 3;
/** Pruning leaves out small weights together, then one adapter after another, an evaluation each. */
const PRUNE_RESERVE = 20;

export interface ComposeOptions {
  readonly candidates: number;
  /** Exact: what is published, judged and told was measured by this. */
  readonly evaluate: Evaluate;
  /** Cheaper and not quite the same: what screening, search and pruning go by. @default evaluate */
  readonly estimate?: Evaluate;
  readonly exampleCount: number;
  readonly objective: Objective;
  /** The success that guessing has. @default 0 */
  readonly guess?: number;
  /** Which of the methods of equal success is advised. @default 'surer' */
  readonly ties?: Ties;
  /** Evaluations in all, the baselines among them; at least `fewestEvaluations`. */
  readonly budget: number;
  readonly seed: number;
  readonly strategy: Strategy;
  /** The weights of an earlier composition. */
  readonly warmStart?: WeightVector;
  /** The base with the other examples in its prompt, per example; absent where they do not fit. */
  readonly prompted?: () => Promise<readonly ExampleLoss[]>;
  /** Where the examples have others in front: base and candidates without them. */
  readonly unprompted?: (options: UnpromptedOptions) => Promise<Unprompted>;
  readonly onProgress?: (progress: LedgerProgress) => void;
  /** Milliseconds of a clock. @default performance.now */
  readonly now?: () => number;
}

/** What was measured best on the examples themselves. */
export type Winner = 'composed' | 'base' | 'single' | 'uniform';

export const STAGE_NAMES = ['screen', 'search', 'prune', 'baselines', 'recheck', 'validate'] as const;

/** What a stage did and spent. */
export interface StageReport {
  readonly stage: (typeof STAGE_NAMES)[number];
  /** The function that did it. */
  readonly method: string;
  readonly evaluations: number;
  readonly seconds: number;
  /** Candidates that came out of it, by index. */
  readonly kept: readonly number[];
  /** The best objective when it ended; null when nothing could be evaluated yet. */
  readonly bestObjective: number | null;
}

export interface ComposedWeights {
  /** The mixture that became the result. */
  readonly best: Evaluation;
  readonly winner: Winner;
  readonly baselines: Baselines;
  readonly attribution: readonly Attribution[];
  readonly validation: Validation | undefined;
  readonly unprompted: Unprompted | undefined;
  readonly verdict: Verdict;
  readonly stages: readonly StageReport[];
  readonly stop: SearchEnd['stop'];
  readonly curve: readonly CurvePoint[];
  readonly evaluations: number;
}

const searches: Readonly<Record<Strategy['search'], (strategy: Strategy) => SearchMethod>> = {
  surrogate: () => searchWithSurrogate,
  'cma-es': () => searchInSpan('cma-es'),
  // Without screening it is LoraHub's own search.
  cobyla: ({ screen }) => (screen === 'none' ? searchFromZero('cobyla') : searchInSpan('cobyla')),
  forward: () => searchForward,
  random: () => searchInSpan('random'),
};

/** Every baseline must fit the budget, and where a search goes by estimates their recheck: without them no verdict is possible. */
export function fewestEvaluations(candidates: number, { isEstimated = false }: { readonly isEstimated?: boolean } = {}): number {
  return baselineCost(candidates) + (isEstimated ? recheckCost(candidates) : 0);
}

/**
 * Composes; deterministic for the same evaluations and seed.
 * @throws NothingEvaluable when no weight vector has a finite loss, and what `evaluate` throws
 */
export async function composeWeights(options: ComposeOptions): Promise<ComposedWeights> {
  const { candidates, seed, strategy, estimate, now = () => performance.now() } = options;
  const split = strategy.validate === 'held-out' ? splitExamples(options.exampleCount, seed) : undefined;
  const searched = createLedger(options, split);
  // What the books are kept in: behind an estimate, from the recheck on, those of exact losses.
  let ledger = searched;
  let heldOutEvaluations = 0;
  const spent = (): number => ledger.evaluations + heldOutEvaluations;
  const stages: StageReport[] = [];
  let startedAt = now();
  const close = (stage: StageReport['stage'], method: string, kept: readonly number[]): void => {
    const before = stages.reduce((sum, { evaluations }) => sum + evaluations, 0);
    const bestObjective = ledger.best?.objective ?? null;
    stages.push({ stage, method, evaluations: spent() - before, seconds: (now() - startedAt) / 1000, kept, bestObjective });
    startedAt = now();
  };

  // What the baselines will cost at most is kept back from the first evaluation on; those that screening measures are not paid twice.
  const validateReserve = strategy.validate === 'cross-validation' ? 1 : 0;
  const lastReserve = validateReserve + (estimate === undefined ? 0 : recheckCost(candidates));
  ledger.reserve(2 + lastReserve);
  const kept = await screens[strategy.screen](ledger, { candidates, finalists: FINALISTS });
  close('screen', strategy.screen, kept);

  const isAmple = options.budget >= AMPLE * baselineCost(candidates);
  const missing = (): number => missingBaselines(ledger, candidates, isAmple);
  ledger.reserve(missing() + lastReserve);
  const spare = ledger.remaining;
  const pruneReserve = strategy.prune === 'none' ? 0 : Math.min(PRUNE_RESERVE, Math.floor(spare / 4));
  ledger.reserve(missing() + lastReserve + pruneReserve);
  const { stop, span } = await searches[strategy.search](strategy)(ledger, {
    kept,
    candidates,
    seed,
    ...(options.warmStart !== undefined && { warmStart: options.warmStart }),
  });
  close('search', strategy.search, span);

  ledger.reserve(missing() + lastReserve);
  const found = ledger.best;
  const pruned = found === undefined ? undefined : await prunes[strategy.prune](ledger, found);
  close('prune', strategy.prune, pruned === undefined ? [] : partsOf(pruned.best.weights));

  // Without the baselines there is no verdict; validation takes what they leave.
  ledger.reserve(lastReserve - validateReserve);
  let baselines = await measureBaselines(ledger, candidates, isAmple);
  close('baselines', isAmple ? 'all' : 'screened', []);

  let mixture = pruned?.best;
  if (estimate !== undefined) {
    ledger.reserve(0);
    const exact = split === undefined ? options.evaluate : onPart(options.evaluate, split.training);
    ({ ledger, best: mixture, baselines } = await recheck(searched, exact, { candidates, pruned: mixture?.weights, baselines }));
    close('recheck', 'exact', mixture === undefined ? [] : partsOf(mixture.weights));
  }

  if (ledger.best === undefined) throw new NothingEvaluable(`none of ${ledger.evaluations} weight vectors has a finite loss`);
  const best = chooseBest(mixture, baselines, ledger.best);
  const bestSingle = lowestObjective(baselines.singles.filter((found) => found !== undefined));
  let validation: Validation | undefined;
  if (split !== undefined) {
    ({ validation, evaluations: heldOutEvaluations } = await measureHeldOut(options, split, { best, bestSingle, baselines }));
  } else if (strategy.validate !== 'held-out') {
    validation = await validations[strategy.validate](searched, {
      candidates,
      span: span.length === 0 ? kept : span,
      judge: ledger,
    });
  }
  close('validate', strategy.validate, partsOf(best.weights));

  const allPrompted = await options.prompted?.();
  const prompted = allPrompted && (split?.heldOut.flatMap((i) => allPrompted[i] ?? []) ?? allPrompted);
  const unprompted = await options.unprompted?.({ candidates, finalists: FINALISTS });
  const measured = {
    base: validation?.heldOut?.base ?? baselines.base.examples,
    uniform: validation?.heldOut?.uniform ?? baselines.uniform.examples,
    single: validation?.single ?? bestSingle?.examples ?? [],
    composed: validation?.composed ?? best.examples,
  };
  const evidence =
    unprompted === undefined
      ? { ...measured, ...(prompted !== undefined && { prompted }) }
      : behindPrompt(measured, unprompted, { isUnseen: validation !== undefined });
  const verdict = decide(evidence, options.guess, options.ties);
  return {
    best,
    winner: winnerOf(best, baselines),
    baselines,
    attribution: pruned !== undefined && mixture === best && String(pruned.best.weights) === String(best.weights) ? pruned.attribution : [],
    validation,
    unprompted,
    verdict,
    stages,
    stop,
    curve: searched.curve,
    evaluations: spent(),
  };
}

function createLedger(options: ComposeOptions, split: HeldOutSplit | undefined): EvaluationLedger {
  const { estimate, evaluate, candidates } = options;
  const ledgerOptions = { ...options, evaluate: estimate ?? evaluate };
  if (split === undefined) return new EvaluationLedger(ledgerOptions);
  return createTrainingLedger(ledgerOptions, split, fewestEvaluations(candidates, { isEstimated: estimate !== undefined }));
}

/** Neither the base nor any mixture has a finite loss on the examples. */
export class NothingEvaluable extends Error {
  override readonly name = 'NothingEvaluable';
}

/** What base, uniform mixture and every single candidate still cost, in evaluations. */
function missingBaselines(ledger: EvaluationLedger, candidates: number, isAmple: boolean): number {
  const vectors = isAmple ? baselineVectors(candidates) : baselineVectors(candidates).slice(0, 2);
  return vectors.length - ledger.knownShare(vectors);
}

/** The pruned mixture, unless a baseline has a lower objective: never worse than what was measured as a baseline. */
function chooseBest(pruned: Evaluation | undefined, { base, singles, uniform }: Baselines, fallback: Evaluation): Evaluation {
  const lowest = lowestObjective([base, ...singles.filter((found) => found !== undefined), uniform]);
  if (pruned === undefined) return fallback;
  return lowest !== undefined && lowest.objective <= pruned.objective ? lowest : pruned;
}

function lowestObjective(evaluations: readonly Evaluation[]): Evaluation | undefined {
  return evaluations.reduce<Evaluation | undefined>(
    (best, next) => (next.objective < (best?.objective ?? Infinity) ? next : best),
    undefined,
  );
}

/** A tie goes to the simpler answer. */
function winnerOf(best: Evaluation, { base, singles, uniform }: Baselines): Winner {
  if (base.objective <= best.objective) return 'base';
  if (singles.some((found) => found !== undefined && found.objective <= best.objective)) return 'single';
  return uniform.objective <= best.objective ? 'uniform' : 'composed';
}
