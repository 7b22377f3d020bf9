// Searches weights with a model of the losses: what was measured predicts every example's loss elsewhere, and only what promises most is measured.
import type { EvaluationLedger, Evaluation } from '../evaluation-ledger.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import type { Minimum } from '../surrogate/minimise.js';
import { fitLosses, measuredWithin, priceOf, within } from '../surrogate/fit-losses.js';
import { selectForward } from './forward-selection.js';
import { type SearchEnd, type SearchOptions, spread } from './search-method.js';

/** Candidates that may join the best single one in forward selection. */
const POOL_SIZE = 5;
const MOST_SELECTED = 3;
/** Candidates whose weights the model knows at first, and at most. */
const FIRST_SPAN = 5;
const LARGEST_SPAN = 24;
/** Points of one batch, by how many standard deviations of hope each is chosen: from plain belief to curiosity. */
const OPTIMISM = [0, 0.5, 1, 2] as const;
/** Walks downhill begin at the best points, and near them. */
const STARTS = 2;
const JITTER = 0.2;
/** Points nearer than this to a measured one tell nothing (weights). */
const NEAREST = 0.02;
/** The search in a span ends after this many batches without a gain of this share of the objective. */
const PATIENCE = 4;
const SMALLEST_GAIN = 0.01;
/** Candidates outside the span that are tried on top of the best mixture, and how much of each. */
const MOST_PROBED = 24;
const PROBES = [0.3, -0.3] as const;

/** Forward selection, the model in the span of the best few; then, as long as it gains, every other candidate on top of the best mixture, and the model with those that may help. */
export async function searchWithSurrogate(ledger: EvaluationLedger, options: SearchOptions): Promise<SearchEnd> {
  const { kept, candidates, warmStart, seed } = options;
  const random = SeededRandom.fromSeed(seed);
  if (warmStart !== undefined) await ledger.score([warmStart], 'search');
  const selection = await selectForward(ledger, { pool: kept.slice(0, POOL_SIZE), candidates, mostParts: MOST_SELECTED, sums: [1.5] });
  if (selection === undefined) return { stop: 'nothing-to-search', span: [] };
  const warm = (warmStart ?? []).flatMap((weight, i) => (weight === 0 ? [] : [i]));
  let span = [...new Set([...selection.members, ...warm, ...kept])].slice(0, Math.max(FIRST_SPAN, warm.length));
  await refine(ledger, span, candidates, random);
  for (;;) {
    const before = ledger.best?.objective ?? Infinity;
    const joined = await probe(ledger, span, options);
    if (joined.length === 0) break;
    span = [...span, ...joined].slice(0, Math.max(LARGEST_SPAN, span.length));
    await refine(ledger, span, candidates, random);
    if ((ledger.best?.objective ?? Infinity) > before * (1 - SMALLEST_GAIN)) break;
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
    const points = await propose(measured, ledger, span, random);
    if (points.length === 0) return;
    const scored = await ledger.score(
      points.map((point) => spread(point, span, candidates)),
      'search',
    );
    if (scored.length < points.length) return;
    waited = (ledger.best?.objective ?? Infinity) < before * (1 - SMALLEST_GAIN) ? 0 : waited + 1;
  }
}

/** Candidates outside the span, each tried on top of the best mixture, the most helpful first; none where the budget does not cover it. */
async function probe(ledger: EvaluationLedger, span: readonly number[], { kept }: SearchOptions): Promise<number[]> {
  const { best } = ledger;
  const outside = kept.filter((index) => !span.includes(index)).slice(0, MOST_PROBED);
  if (best === undefined || ledger.remaining < PROBES.length * outside.length + OPTIMISM.length) return [];
  const trials = outside.flatMap((index) => PROBES.map((step) => ({ index, weights: best.weights.with(index, step) })));
  const scored = await ledger.score(
    trials.map(({ weights }) => weights),
    'search',
  );
  const ranked = scored
    .map(({ objective }, i) => ({ index: trials[i]?.index ?? 0, objective }))
    .filter(({ objective }) => Number.isFinite(objective))
    .sort((a, b) => a.objective - b.objective);
  return [...new Set(ranked.map(({ index }) => index))];
}

/** One point per degree of optimism: where the objective is expected to be lowest. */
async function propose(
  measured: readonly Evaluation[],
  ledger: EvaluationLedger,
  span: readonly number[],
  random: SeededRandom,
): Promise<readonly (readonly number[])[]> {
  const surrogate = await fitLosses(measured, span);
  const known = measured.map(({ weights }) => within(weights, span));
  const best = known.slice(0, STARTS);
  const price = priceOf(measured[0], ledger.objective);
  const chosen: (readonly number[])[] = [];
  for (const optimism of OPTIMISM) {
    const starts = [...best, ...best.map((point) => point.map((x) => x + JITTER * random.gaussian()))];
    const ends: Minimum[] = [];
    for (const start of starts) ends.push(await surrogate.findLowest(start, { ...price, optimism }));
    const lowest = ends
      .sort((a, b) => a.value - b.value)
      .find(({ point }) => [...known, ...chosen].every((other) => distance(point, other) > NEAREST));
    if (lowest !== undefined) chosen.push(lowest.point);
  }
  return chosen;
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0));
}
