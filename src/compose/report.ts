// What a search leaves behind: the recipe that gives the same weights again, and the report of what was measured on the way. Both are JSON.
import type { Digest, RepoName, Version } from '#src/ids/ids.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { ComposedWeights, StageReport, StrategySettings, Winner } from './compose-weights.js';
import type { CurvePoint, Evaluation } from './evaluation-ledger.js';
import type { Objective } from './objective.js';
import type { OptimizerName } from './optimizers/create-optimizer.js';

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

/** Everything that decides the weights; equal recipes give equal weights on the same machine. No times in here. */
export interface Recipe {
  readonly format: 1;
  readonly base: { readonly name: RepoName; readonly digest: Digest };
  /** Which adapters were offered, in the order of the weights that the search moved. */
  readonly candidates: readonly Candidate[];
  readonly space: Space;
  readonly strategy: { readonly name: 'select-then-search'; readonly settings: StrategySettings };
  readonly optimizer: OptimizerName;
  readonly seed: number;
  /** Weight vectors that could be scored, the baselines among them. */
  readonly budget: number;
  readonly objective: Objective;
  readonly examples: { readonly count: number; readonly answerTokens: number; readonly digest: Digest };
}

/** A measured point of the search. */
export interface Measured {
  /** Mean negative log-likelihood per answer token over all examples, nats; null where it was not finite. */
  readonly loss: number | null;
  /** loss + α·mean|w|; null where it was not finite. */
  readonly objective: number | null;
}

export interface CompositionReport {
  /** Which of the measured points won; the composition is that point. */
  readonly winner: Winner;
  /** The same in a sentence. */
  readonly verdict: string;
  readonly composed: Measured;
  readonly base: Measured;
  readonly uniform: Measured;
  /** Every candidate alone at weight 1, in the candidates' order. */
  readonly singles: readonly (Measured & { readonly adapter: RepoName; readonly version: Version })[];
  /** A point for every improvement. */
  readonly curve: readonly CurvePoint[];
  /** `kept` names candidates by their place. */
  readonly stages: readonly StageReport[];
  readonly stop: ComposedWeights['stop'];
  readonly evaluations: number;
  readonly budget: number;
  readonly seconds: number;
}

/** The parts of the winning point: candidates of weight 0 are left out, weights are not rounded. */
export function partsOf(composed: ComposedWeights, candidates: readonly Candidate[]): CompositionPart[] {
  return candidates.flatMap((candidate, i) => {
    const weight = composed.best.weights[i] ?? 0;
    return weight === 0 ? [] : [{ adapter: candidate.adapter, version: candidate.version, digest: candidate.digest, weight }];
  });
}

export function createReport(
  composed: ComposedWeights,
  candidates: readonly Candidate[],
  { budget, seconds }: { readonly budget: number; readonly seconds: number },
): CompositionReport {
  const { best, baselines, winner, curve, stages, stop, evaluations } = composed;
  return {
    winner,
    verdict: verdictOf(composed, candidates),
    composed: measured(best),
    base: measured(baselines.base),
    uniform: measured(baselines.uniform),
    singles: candidates.flatMap(({ adapter, version }, i) => {
      const single = baselines.singles[i];
      return single === undefined ? [] : [{ adapter, version, ...measured(single) }];
    }),
    curve,
    stages,
    stop,
    evaluations,
    budget,
    seconds,
  };
}

function measured({ loss, objective }: Evaluation): Measured {
  return { loss: Number.isFinite(loss) ? loss : null, objective: Number.isFinite(objective) ? objective : null };
}

function verdictOf({ winner, best, baselines }: ComposedWeights, candidates: readonly Candidate[]): string {
  const bestSingle = baselines.singles.reduce(
    (least, { objective }, i) => (objective < (baselines.singles[least]?.objective ?? Infinity) ? i : least),
    0,
  );
  const named = candidates[bestSingle];
  const single = named === undefined ? 'a candidate' : `${named.adapter}@${named.version}`;
  const shown = (value: number | undefined): string => (value !== undefined && Number.isFinite(value) ? value.toFixed(4) : 'not finite');
  switch (winner) {
    case 'composed': {
      const parts = best.weights.filter((w) => w !== 0).length;
      return `The composition of ${parts} ${parts === 1 ? 'adapter' : 'adapters'} is best on the examples: loss ${shown(best.loss)}, where ${single}, the best single adapter, has ${shown(baselines.singles[bestSingle]?.loss)} and the base alone ${shown(baselines.base.loss)}.`;
    }
    case 'single':
      return `Nothing that was tried beats ${single} alone (loss ${shown(best.loss)}); use that adapter.`;
    case 'uniform':
      return `Nothing that was tried beats all candidates in equal parts (loss ${shown(best.loss)}).`;
    case 'base':
      return `None of the candidates helps on these examples: the base alone is best (loss ${shown(best.loss)}).`;
  }
}
