// What a search leaves behind: the recipe that gives the same weights again, and the report of what was measured on the way. Both are JSON.
import type { Digest, RepoName, Version } from '#src/ids/ids.js';
import { describeVerdict } from './describe-verdict.js';
import type { ExampleAnswers } from './answer-examples.js';
import type { ExampleLoss } from './evaluate.js';
import type { Precision } from '#src/runtime/engine.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { CurvePoint, Evaluation } from './evaluation-ledger.js';
import type { Objective } from './objective.js';
import type { ObjectiveWords } from './objectives/example-measure.js';
import type { NamedObjective } from './objectives/objectives.js';
import type { ComposedWeights, StageReport, Winner } from './pipeline.js';
import { mergeParts } from './stages/hold-out.js';
import type { RetrieveReport } from './stages/retrieve.js';
import type { Unprompted } from './stages/measure-unprompted.js';
import type { Advice, Estimate, Verdict } from './stages/verdict.js';
import type { Strategy } from './strategy.js';

/** An adapter version that may get a weight. */
export interface Candidate {
  readonly adapter: RepoName;
  readonly version: Version;
  readonly digest: Digest;
}

export interface CompositionPart extends Candidate {
  /** wᵢ, exactly as it was measured; never 0. */
  readonly weight: number;
}

/** Everything that decides the weights; equal recipes give equal weights on the same machine. No times in here but retrieval's. */
export interface Recipe {
  readonly format: 1;
  readonly base: { readonly name: RepoName; readonly digest: Digest };
  /** Which adapters were offered, in the order of the weights that the search moved. */
  readonly candidates: readonly Candidate[];
  /** How they were found; absent where they were named or all there were. */
  readonly retrieval?: RetrieveReport;
  readonly space: Space;
  /** What the search went by, before a recheck in float32; absent for float32 throughout. */
  readonly precision?: Precision;
  /** The stages by the names of what did them. */
  readonly strategy: Strategy;
  readonly seed: number;
  /** Evaluations that could be spent, the baselines among them. */
  readonly budget: number;
  /** What is minimised: its loss + α·mean|w|, within ±bound. */
  readonly objective: NamedObjective & Objective;
  /** Where the search began, of a composition that was composed again. */
  readonly warmStart?: readonly number[];
  /** How many examples stood in front of each one, and stand in front of every request, which is so many tokens longer; absent where none. */
  readonly shots?: { readonly count: number; readonly tokens: number };
  readonly examples: { readonly count: number; readonly answerTokens: number; readonly digest: Digest };
}

/** A measured point of the search. */
export interface Measured {
  /** Over all examples, in the unit that `measures` names; null where it was not finite. */
  readonly loss: number | null;
  /** loss + α·mean|w|; null where it was not finite. */
  readonly objective: number | null;
}

/** What one adapter brings to the composition. */
export interface AttributedPart {
  readonly adapter: RepoName;
  readonly version: Version;
  readonly weight: number;
  /** How much higher the objective is without it; null where the rest cannot be evaluated. */
  readonly gain: number | null;
}

/** What a mixture makes of one example. */
export interface Outcome {
  /** The answer's negative log-likelihood, nats, or what another objective minimises in its place; null where it was not finite. */
  readonly nll: number | null;
  /** Whether greedy decoding gives exactly the answer, or what another objective means by done. */
  readonly isExact: boolean;
  /** How far the objective has the example done, 0…1; absent where it is exp(−nll), the chance of the whole answer. */
  readonly success?: number;
}

/** One example under base and composition. */
export interface ExampleOutcome {
  readonly base: Outcome;
  readonly composed: Outcome;
  /** Under a mixture that was chosen without this example; absent where nothing was validated. */
  readonly unseen?: Outcome;
}

/** What costs no examples in the prompt; measured besides the search and not out of its budget. */
export interface UnpromptedReport {
  readonly base: Measured;
  /** The candidate that alone has the lowest objective; null where none can be evaluated. */
  readonly single: (Measured & { readonly adapter: RepoName; readonly version: Version }) | null;
  /** On the examples without others in front. */
  readonly evaluations: number;
}

export interface CompositionReport {
  /** What losses and successes are, in words; absent in reports from before there were several objectives. */
  readonly measures?: ObjectiveWords;
  /** Which of the measured points won on the examples; the composition is that point. */
  readonly winner: Winner;
  /** What to do with the task. */
  readonly advice: Advice;
  /** The advice in a sentence or two. */
  readonly verdict: string;
  /** What to expect of each method on new examples. */
  readonly expected: Verdict['expected'];
  /** Base and best single adapter without the examples in front, where the others have them; absent elsewhere. */
  readonly unprompted?: UnpromptedReport;
  /** Tokens before the answer, mean over the examples: asked plainly, and with other examples in the prompt. */
  readonly promptTokens: { readonly plain: number; readonly prompted: number | null };
  readonly composed: Measured;
  readonly base: Measured;
  readonly uniform: Measured;
  /** Every candidate alone at weight 1, in the candidates' order; null also for those that a small budget did not score on all examples. */
  readonly singles: readonly (Measured & { readonly adapter: RepoName; readonly version: Version })[];
  /** Empty where pruning was not asked for or the budget did not cover it. */
  readonly attribution: readonly AttributedPart[];
  readonly examples: readonly ExampleOutcome[];
  /** Places of the examples that the search never saw and the advice rests on; absent where none were set aside. */
  readonly heldOut?: readonly number[];
  /** To the first examples, in their order; a job adds them once it has searched. */
  readonly answers?: readonly ExampleAnswers[];
  /** A point for every improvement. */
  readonly curve: readonly CurvePoint[];
  /** `kept` names candidates by their place. */
  readonly stages: readonly StageReport[];
  readonly stop: ComposedWeights['stop'];
  readonly evaluations: number;
  readonly budget: number;
  readonly seconds: number;
}

export interface ReportFacts {
  readonly measures: ObjectiveWords;
  readonly budget: number;
  readonly seconds: number;
  readonly promptTokens: CompositionReport['promptTokens'];
  /** How many examples stand in front of each; absent where none. */
  readonly shots?: number;
}

/** The parts of the winning point: candidates of weight 0 are left out, weights are not rounded. */
export function partsOf(composed: ComposedWeights, candidates: readonly Candidate[]): CompositionPart[] {
  return candidates.flatMap((candidate, i) => {
    const weight = composed.best.weights[i] ?? 0;
    return weight === 0 ? [] : [{ adapter: candidate.adapter, version: candidate.version, digest: candidate.digest, weight }];
  });
}

export function createReport(composed: ComposedWeights, candidates: readonly Candidate[], facts: ReportFacts): CompositionReport {
  const { measures, budget, seconds, promptTokens } = facts;
  const { best, baselines, winner, validation, verdict, curve, stages, stop, evaluations } = composed;
  return {
    measures,
    winner,
    advice: verdict.advice,
    verdict: describeVerdict(composed, candidates, facts),
    expected: finiteEstimates(verdict.expected),
    ...(composed.unprompted !== undefined && { unprompted: unpromptedReport(composed.unprompted, candidates) }),
    promptTokens,
    composed: measured(best),
    base: measured(baselines.base),
    uniform: measured(baselines.uniform),
    singles: candidates.map(({ adapter, version }, i) => {
      const single = baselines.singles[i];
      return { adapter, version, ...(single === undefined ? { loss: null, objective: null } : measured(single)) };
    }),
    attribution: composed.attribution.flatMap(({ candidate, weight, gain }) => {
      const named = candidates[candidate];
      return named === undefined ? [] : [{ adapter: named.adapter, version: named.version, weight, gain: finite(gain) }];
    }),
    examples: exampleOutcomes(composed),
    ...(validation?.heldOut !== undefined && { heldOut: validation.heldOut.examples }),
    curve,
    stages,
    stop,
    evaluations,
    budget,
    seconds,
  };
}

/** In the order of the examples, those that were set aside among them. */
function exampleOutcomes({ best, baselines, validation }: ComposedWeights): ExampleOutcome[] {
  const seen = best.examples.map((example, i): ExampleOutcome => {
    const unseen = validation?.heldOut === undefined ? validation?.composed[i] : undefined;
    return {
      base: outcome(baselines.base.examples[i]),
      composed: outcome(example),
      ...(unseen !== undefined && { unseen: outcome(unseen) }),
    };
  });
  if (validation?.heldOut === undefined) return seen;
  const { examples: places, base } = validation.heldOut;
  const held = validation.composed.map((example, k): ExampleOutcome => {
    const composed = outcome(example);
    return { base: outcome(base[k]), composed, unseen: composed };
  });
  return mergeParts(seen, held, places);
}

function unpromptedReport({ base, single, evaluations }: Unprompted, candidates: readonly Candidate[]): UnpromptedReport {
  const named = single && candidates[single.candidate];
  return {
    base: measured(base),
    single:
      single === undefined || named === undefined
        ? null
        : { adapter: named.adapter, version: named.version, ...measured(single.evaluation) },
    evaluations,
  };
}

function measured({ loss, objective }: Evaluation): Measured {
  return { loss: finite(loss), objective: finite(objective) };
}

function outcome(example: ExampleLoss | undefined): Outcome {
  if (example === undefined) return { nll: null, isExact: false };
  const { nll, isExact, success } = example;
  return { nll: finite(nll), isExact, ...(success !== undefined && { success }) };
}

/** JSON knows no Infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function finiteEstimates(expected: Verdict['expected']): Verdict['expected'] {
  const most = Number.MAX_VALUE;
  const clip = ({ loss, interval: [low, high], success }: Estimate): Estimate => ({
    loss: Math.min(loss, most),
    interval: [Math.min(low, most), Math.min(high, most)],
    success,
  });
  return Object.fromEntries(Object.entries(expected).map(([method, estimate]) => [method, clip(estimate)]));
}
