// Which adapters of a mixture earn their place: the smallest weights go together, then each is left out in turn, and what it brought is written down.
import type { Evaluation, EvaluationLedger } from '../evaluation-ledger.js';
import type { WeightVector } from '../objective.js';
import type { Strategy } from '../strategy.js';

/** A share of the objective that is worth one adapter fewer at serving. */
const TOLERANCE = 0.02;
/** The same as a difference, for objectives near 0. */
const SMALLEST_LOSS = 0.002;

/** Weights below one of these are left out together, below the largest that the objective allows. */
const SMALL = [0.2, 0.1, 0.05, 0.02] as const;

/** What one adapter brings to a mixture. */
export interface Attribution {
  readonly candidate: number;
  readonly weight: number;
  /** How much higher the objective is without it; Infinity when the rest cannot be evaluated. */
  readonly gain: number;
}

export interface Pruned {
  readonly best: Evaluation;
  /** Of the adapters that are left; empty where the budget did not cover leaving each out. */
  readonly attribution: readonly Attribution[];
  readonly dropped: readonly number[];
}

export type Prune = (ledger: EvaluationLedger, start: Evaluation) => Promise<Pruned>;

export const prunes: Readonly<Record<Strategy['prune'], Prune>> = {
  attribution: pruneByAttribution,
  none: (_, best) => Promise.resolve({ best, attribution: [], dropped: [] }),
};

/**
 * Leaves small weights out together, then one adapter at a time: drops the least useful one and looks again, as long as the objective stays
 * within the tolerance of where it began.
 */
async function pruneByAttribution(ledger: EvaluationLedger, start: Evaluation): Promise<Pruned> {
  const allowed = toleratedObjective(start.objective);
  let best = await dropSmall(ledger, start, allowed);
  const dropped = partsOf(start.weights).filter((index) => best.weights[index] === 0);
  for (;;) {
    const parts = partsOf(best.weights);
    const without = await ledger.score(
      parts.map((index) => best.weights.with(index, 0)),
      'prune',
    );
    if (without.length < parts.length) return { best, attribution: [], dropped };
    const attribution = without.map(({ objective }, i) => ({
      candidate: parts[i] ?? 0,
      weight: best.weights[parts[i] ?? 0] ?? 0,
      gain: objective - best.objective,
    }));
    const [least] = [...without.keys()].sort((a, b) => (attribution[a]?.gain ?? Infinity) - (attribution[b]?.gain ?? Infinity));
    const fewer = least === undefined ? undefined : without[least];
    // One adapter is left out only for the base itself, which is a baseline of its own.
    if (least === undefined || fewer === undefined || parts.length < 2 || fewer.objective > allowed) return { best, attribution, dropped };
    dropped.push(parts[least] ?? 0);
    best = fewer;
  }
}

/** The mixture without its small weights: of all that the objective allows, the one that leaves most out. */
async function dropSmall(ledger: EvaluationLedger, start: Evaluation, allowed: number): Promise<Evaluation> {
  const without = SMALL.map((least) => start.weights.map((weight) => (Math.abs(weight) < least ? 0 : weight)));
  const scored = await ledger.score(
    without.filter((weights) => partsOf(weights).length > 1),
    'prune',
  );
  return scored.find(({ objective }) => objective <= allowed) ?? start;
}

/** The highest objective that counts as no worse than this one where fewer adapters are served for it. */
export function toleratedObjective(objective: number): number {
  return objective + Math.max(SMALLEST_LOSS, TOLERANCE * objective);
}

export function partsOf(weights: WeightVector): number[] {
  return weights.flatMap((weight, i) => (weight === 0 ? [] : [i]));
}
