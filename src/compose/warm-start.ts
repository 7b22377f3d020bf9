// Weights by the names of adapters, as a client gives them, become a point of the search.
import { failCompose } from './compose.errors.js';
import type { Candidate } from './report.js';

/**
 * One weight per candidate, in their order; candidates without one get 0.
 * @param bound weights lie within ±bound
 * @throws BraidError WARM_START_INVALID
 */
export function parseWarmStart(weights: Readonly<Record<string, unknown>>, candidates: readonly Candidate[], bound: number): number[] {
  const refuse = (found: string): Error => failCompose('WARM_START_INVALID', { bound, found });
  const start = new Array<number>(candidates.length).fill(0);
  for (const [name, weight] of Object.entries(weights)) {
    const place = candidates.findIndex(({ adapter }) => adapter === name);
    const shown = JSON.stringify(name.slice(0, 200));
    if (place < 0) throw refuse(`${shown} is not a candidate`);
    if (typeof weight !== 'number' || !(Math.abs(weight) <= bound)) throw refuse(`${shown} has ${describe(weight)}`);
    start[place] = weight;
  }
  return start;
}

function describe(weight: unknown): string {
  return typeof weight === 'number' ? String(weight) : 'no number';
}
