// Searches weights with a model of the losses: what was measured predicts every example's loss elsewhere, and only what promises most is measured.
import type { EvaluationLedger, Evaluation } from '../evaluation-ledger.js';
import { objectiveOf } from '../objective.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { LossSurrogate } from '../surrogate/loss-surrogate.js';
import { selectForward } from './forward-selection.js';
import { type SearchEnd, type SearchOptions, spread } from './search-method.js';

/** Candidates that may join the best single one in forward selection. */
const POOL_SIZE = 10;
const MOST_SELECTED = 3;
/** Candidates whose weights the model knows at first, and at most. */
const FIRST_SPAN = 6;
const LARGEST_SPAN = 8;
/** Points of one batch, by how many standard deviations of hope each is chosen: from plain belief to curiosity. */
const OPTIMISM = [0, 0.5, 1, 2] as const;
/** Measured points that the model is fitted to, the best ones: the fit costs their number to the third. */
const MOST_FITTED = 160;
const TRIALS = 300;
const REFINEMENTS = 3;
/** Points nearer than this to a measured one tell nothing (weights). */
const NEAREST = 0.02;
/** The search in a span ends after this many batches without a gain of this share of the objective. */
const PATIENCE = 4;
const SMALLEST_GAIN = 0.01;
/** Candidates outside the span that are tried on top of the best mixture, and how much of each. */
const MOST_PROBED = 12;
const PROBES = [0.3, -0.3] as const;

/** Forward selection, the model in the span of the best, a probe of every other candidate on top of the best mixture, the model again. */
export async function searchWithSurrogate(ledger: EvaluationLedger, options: SearchOptions): Promise<SearchEnd> {
  const { kept, candidates, warmStart, seed } = options;
  const random = SeededRandom.fromSeed(seed);
  if (warmStart !== undefined) await ledger.score([warmStart], 'search');
  // A small budget is better spent on the model than on every pair.
  const isTight = ledger.remaining < 3 * POOL_SIZE;
  const selection = await selectForward(ledger, {
    pool: kept.slice(0, isTight ? Math.ceil(POOL_SIZE / 2) : POOL_SIZE),
    candidates,
    mostParts: isTight ? 2 : MOST_SELECTED,
    sums: isTight ? [1.5] : [1.5, 1],
  });
  if (selection === undefined) return { stop: 'nothing-to-search', span: [] };
  const warm = (warmStart ?? []).flatMap((weight, i) => (weight === 0 ? [] : [i]));
  let span = [...new Set([...selection.members, ...warm, ...kept])].slice(0, Math.max(FIRST_SPAN, warm.length));
  await refine(ledger, span, candidates, random);
  const joined = await probe(ledger, span, options);
  if (joined.length > 0) {
    span = [...span, ...joined].slice(0, Math.max(LARGEST_SPAN, span.length));
    await refine(ledger, span, candidates, random);
  }
  return { stop: ledger.remaining < OPTIMISM.length ? 'budget' : 'converged', span };
}

/** Fits, asks and measures until nothing is gained any more. */
async function refine(ledger: EvaluationLedger, span: readonly number[], candidates: number, random: SeededRandom): Promise<void> {
  let waited = 0;
  while (ledger.remaining >= 1 && waited < PATIENCE) {
    const before = ledger.best?.objective ?? Infinity;
    const measured = measuredWithin(ledger, span);
    if (measured.length === 0) return;
    const points = propose(measured, ledger, span, candidates, random);
    if (points.length === 0) return;
    const scored = await ledger.score(
      points.map((point) => spread(point, span, candidates)),
      'search',
    );
    if (scored.length < points.length) return;
    waited = (ledger.best?.objective ?? Infinity) < before * (1 - SMALLEST_GAIN) ? 0 : waited + 1;
  }
}

/** Candidates outside the span that lower the objective when a little of them is added to the best mixture, the most helpful first. */
async function probe(ledger: EvaluationLedger, span: readonly number[], { kept }: SearchOptions): Promise<number[]> {
  const { best } = ledger;
  const outside = kept.filter((index) => !span.includes(index)).slice(0, MOST_PROBED);
  if (best === undefined || ledger.remaining < PROBES.length * outside.length + OPTIMISM.length) return [];
  const trials = outside.flatMap((index) => PROBES.map((step) => ({ index, weights: best.weights.with(index, step) })));
  const scored = await ledger.score(
    trials.map(({ weights }) => weights),
    'search',
  );
  const helpful = scored
    .map(({ objective }, i) => ({ index: trials[i]?.index ?? 0, objective }))
    .filter(({ objective }) => objective < best.objective)
    .sort((a, b) => a.objective - b.objective);
  return [...new Set(helpful.map(({ index }) => index))];
}

/** The best evaluated points that have no weight outside the span. */
export function measuredWithin(ledger: EvaluationLedger, span: readonly number[]): Evaluation[] {
  return ledger.complete
    .filter(({ weights, loss }) => Number.isFinite(loss) && weights.every((w, i) => w === 0 || span.includes(i)))
    .sort((a, b) => a.objective - b.objective)
    .slice(0, MOST_FITTED);
}

/** One point per degree of optimism: where the objective is expected to be lowest. */
function propose(
  measured: readonly Evaluation[],
  ledger: EvaluationLedger,
  span: readonly number[],
  candidates: number,
  random: SeededRandom,
): number[][] {
  const surrogate = LossSurrogate.fit(
    measured.map(({ weights, examples }) => ({ point: within(weights, span), nlls: examples.map(({ nll }) => nll) })),
  );
  const tokens = measured[0]?.examples.reduce((sum, example) => sum + example.tokens, 0) ?? 1;
  const known = measured.map(({ weights }) => within(weights, span));
  const { objective } = ledger;
  const chosen: number[][] = [];
  for (const optimism of OPTIMISM) {
    const expected = (point: readonly number[]): number =>
      objectiveOf(
        surrogate.predict(point, optimism).reduce((sum, nll) => sum + nll, 0) / tokens,
        spread(point, span, candidates),
        objective,
      );
    const isFresh = (point: readonly number[]): boolean => [...known, ...chosen].every((other) => distance(point, other) > NEAREST);
    let trials = Array.from({ length: TRIALS }, () =>
      perturb(known[Math.floor(random.uniform() ** 2 * Math.min(known.length, 12))] ?? [], 0.4, objective.bound, random),
    );
    let size = 0.15;
    let ranked: { readonly point: number[]; readonly value: number }[] = [];
    for (let round = 0; round <= REFINEMENTS; round++) {
      ranked = [...ranked, ...trials.filter(isFresh).map((point) => ({ point, value: expected(point) }))]
        .sort((a, b) => a.value - b.value)
        .slice(0, 8);
      trials = ranked.flatMap(({ point }) => Array.from({ length: 12 }, () => perturb(point, size, objective.bound, random)));
      size /= 2;
    }
    const [first] = ranked;
    if (first !== undefined) chosen.push(first.point);
  }
  return chosen;
}

export function within(weights: readonly number[], span: readonly number[]): number[] {
  return span.map((index) => weights[index] ?? 0);
}

/** Moves one weight, or all of them; by a random part of `size`, within the box. */
function perturb(point: readonly number[], size: number, bound: number, random: SeededRandom): number[] {
  const step = size * (0.1 + 0.9 * random.uniform());
  const only = random.uniform() < 0.4 ? Math.floor(random.uniform() * point.length) : undefined;
  return point.map((x, i) => (only === undefined || only === i ? Math.min(bound, Math.max(-bound, x + step * random.gaussian())) : x));
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0));
}
