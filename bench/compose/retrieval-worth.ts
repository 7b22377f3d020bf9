// What retrieval costs a composition: forward selection on the real model over all real adapters, and over those of them that were found.
// Synthetic adapters have no weights: they take places among the found ones, and can neither help nor stand in for one that is missed.
import { mean } from '../statistics.js';
import { type Selection, type TaskWorth } from './selection-worth.js';

/** More than this, in nats per answer token, is a loss: 2 % of a token's chance. */
export const LEAST_REGRET = 0.02;

/** Of the real ones in an order; by their own loss it is the ceiling of every order that looks at adapters one by one. */
const FEW = 8;

/** Which adapters are offered, by their indices among all real ones. */
export interface Offer {
  readonly title: string;
  readonly pool: readonly number[];
}

export interface RunWorth {
  readonly task: string;
  readonly seed: number;
  /** Of all real adapters. */
  readonly all: Selection;
  readonly offers: readonly { readonly title: string; readonly selection: Selection }[];
  readonly picks: readonly PickWorth[];
}

export interface PickWorth {
  readonly name: string;
  readonly isFound: boolean;
  /** Place by likeness among all adapters, the synthetic ones too, from 1. */
  readonly rank: number;
  /** Places among the real ones, from 1: by its own loss, by likeness, by what it does to the base. */
  readonly rankAlone: number;
  readonly rankLikeness: number;
  readonly rankEffect: number;
  readonly gain: number;
  readonly share: number;
}

export interface RunOffers {
  readonly task: string;
  readonly seed: number;
  /** The first one is what retrieval offers. */
  readonly offers: readonly Offer[];
  /** Places by likeness among all adapters, by candidate. */
  readonly ranks: readonly number[];
  /** The real ones by what they do to the base, the most promising first. */
  readonly byEffect: readonly number[];
}

export async function measureRun(run: RunOffers, names: readonly string[], worth: TaskWorth): Promise<RunWorth> {
  const all = await worth.select(names.map((_, i) => i));
  const offers: RunWorth['offers'][number][] = [];
  for (const { title, pool } of run.offers) offers.push({ title, selection: await worth.select(pool) });
  const alone = [...worth.singles.keys()].sort((a, b) => (worth.singles[a] ?? NaN) - (worth.singles[b] ?? NaN));
  const picks = all.picks.map(({ candidate, gain, share }) => ({
    name: names[candidate] ?? '',
    isFound: run.offers[0]?.pool.includes(candidate) ?? false,
    rank: run.ranks[candidate] ?? NaN,
    rankAlone: alone.indexOf(candidate) + 1,
    rankLikeness: 1 + run.ranks.filter((rank) => rank < (run.ranks[candidate] ?? NaN)).length,
    rankEffect: run.byEffect.indexOf(candidate) + 1,
    gain,
    share,
  }));
  return { task: run.task, seed: run.seed, all, offers, picks };
}

/** Markdown: what each offer reaches, and every pick that was missed. */
export function writeWorth(runs: readonly RunWorth[], candidateCount: number): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const picks = runs.flatMap((run) => run.picks);
  const share = (part: number, whole: number): string => `${((100 * part) / Math.max(whole, Number.MIN_VALUE)).toFixed(0)} %`;
  const gainOf = (some: readonly PickWorth[]): number => some.reduce((sum, { gain }) => sum + gain, 0);
  const sets: readonly (readonly [string, (pick: PickWorth) => boolean])[] = [
    ['found by retrieval', ({ isFound }) => isFound],
    [`among the first ${FEW} of the real ones by likeness`, ({ rankLikeness }) => rankLikeness <= FEW],
    [`… by what they do to the base`, ({ rankEffect }) => rankEffect <= FEW],
    [`… by their own loss`, ({ rankAlone }) => rankAlone <= FEW],
  ];
  const titles = runs[0]?.offers.map(({ title }) => title) ?? [];
  const offered: (readonly [string, readonly Selection[]])[] = [
    ['all real ones', runs.map(({ all }) => all)],
    ...titles.map(
      (title) => [title, runs.flatMap(({ offers }) => offers.find((offer) => offer.title === title)?.selection ?? [])] as const,
    ),
  ];
  return [
    `Forward selection over all ${candidateCount} real adapters takes ${picks.length} in ${runs.length} runs.`,
    '',
    row(['picks', 'of all', 'of what all gain', 'runs with all of them']),
    row(new Array<string>(4).fill('---')),
    ...sets.map(([title, isIn]) => {
      const some = picks.filter(isIn);
      const complete = runs.filter((run) => run.picks.every(isIn)).length;
      return row([title, share(some.length, picks.length), share(gainOf(some), gainOf(picks)), `${complete} of ${runs.length}`]);
    }),
    '',
    row([
      'offered',
      'objective, mean',
      'regret, mean',
      'regret, median',
      `runs with at most ${LEAST_REGRET} nats of it`,
      'held-out exact match',
    ]),
    row(new Array<string>(6).fill('---')),
    ...offered.map(([title, selections]) => {
      const regrets = selections.map(({ objective }, i) => objective - (runs[i]?.all.objective ?? NaN)).sort((a, b) => a - b);
      return row([
        title,
        mean(selections.map(({ objective }) => objective)).toFixed(3),
        mean(regrets).toFixed(3),
        (regrets[Math.floor(regrets.length / 2)] ?? NaN).toFixed(3),
        `${regrets.filter((regret) => regret <= LEAST_REGRET).length} of ${runs.length}`,
        mean(selections.map(({ exactMatch }) => exactMatch)).toFixed(3),
      ]);
    }),
    '',
    row(['run', 'missed pick', 'place by likeness', 'place by its own loss', 'gain, nats', 'of the objective', 'regret of the run']),
    row(new Array<string>(7).fill('---')),
    ...runs.flatMap((run) =>
      run.picks
        .filter(({ isFound }) => !isFound)
        .map(({ name, rank, rankAlone, gain, share: part }) =>
          row([
            `${run.task}/${run.seed}`,
            name,
            String(rank),
            String(rankAlone),
            gain.toFixed(3),
            share(part, 1),
            ((run.offers[0]?.selection.objective ?? NaN) - run.all.objective).toFixed(3),
          ]),
        ),
    ),
    '',
  ].join('\n');
}
