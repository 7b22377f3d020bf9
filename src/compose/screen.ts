// Which candidates are worth the search's evaluations: most adapters hurt a new task, and a search in the middle of all of them goes nowhere.
import type { Evaluation } from './evaluation-ledger.js';

/** Indices of the candidates, best alone first; those that cannot be evaluated are left out, ties keep the candidates' order. */
export function screenSingles(singles: readonly Evaluation[], keep: number): number[] {
  return singles
    .map(({ objective }, index) => ({ objective, index }))
    .filter(({ objective }) => Number.isFinite(objective))
    .sort((a, b) => a.objective - b.objective || a.index - b.index)
    .slice(0, keep)
    .map(({ index }) => index);
}
