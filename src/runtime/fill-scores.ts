// Puts the numbers of a score batch where they belong: each piece's positions into its row's result.
import type { ScoreRow, TopLogprobs } from './engine.js';
import type { ScorePiece } from './plan-score-batches.js';
import { readTop } from './run-calls.js';
import { createNotFiniteError } from './runtime.errors.js';
import type { RunResult } from './worker/protocol.js';

/**
 * Writes a batch's numbers to the rows they belong to.
 * @param wanted entries of the top lists; 0 leaves them empty
 * @throws BraidError NOT_FINITE
 */
export function fillScores(
  results: readonly { logprobs: Float32Array; top: TopLogprobs[] }[],
  batch: readonly ScorePiece[],
  rows: readonly ScoreRow[],
  result: RunResult,
  wanted: number,
): void {
  let place = 0;
  for (const { row, from, end } of batch) {
    const target = results[row];
    const start = rows[row]?.from ?? 0;
    if (target === undefined) continue;
    for (let at = from; at <= end; at++, place++) {
      const logprob = result.logprobs[place] ?? Number.NaN;
      if (!Number.isFinite(logprob)) throw createNotFiniteError(rows[row]?.mixture ?? []);
      target.logprobs[at - start] = logprob;
      if (wanted > 0) target.top[at - start] = readTop(result, place, wanted);
    }
  }
}
