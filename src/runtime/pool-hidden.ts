// Pools hidden states into one vector a row: how rows are cut into runs for it, and how the runs' states become means.
import type { EmbedRow } from './engine.js';
import { countScored, planScoreBatches, type ScoreBatchLimits, type ScorePiece } from './plan-score-batches.js';
import { createNotFiniteError } from './runtime.errors.js';
import type { WithSource } from './source-rows.js';
import type { RunResult } from './worker/protocol.js';

/**
 * Batches as for scoring, of rows one token longer: the state at a token is where the next one would be scored, so a piece gives the states
 * of tokens `from − 1`…`end − 1`. States are far smaller than logits; padded tokens alone bound a run.
 */
export function planEmbedBatches(rows: readonly (EmbedRow & WithSource)[], limits: ScoreBatchLimits): ScorePiece[][] {
  const spans = rows.map(({ ids, from, mixture, source }) => ({
    length: ids.length + 1,
    sourceLength: source?.length ?? 0,
    from: from + 1,
    adaptersKey: mixture.map(({ digest }) => digest).join(),
  }));
  return planScoreBatches(spans, { ...limits, positions: limits.paddedTokens });
}

/** Running means over the rows' tokens, summed in float64. */
export class HiddenMeans {
  private readonly sums: Float64Array[];

  constructor(
    private readonly rows: readonly EmbedRow[],
    private readonly hiddenSize: number,
  ) {
    this.sums = rows.map(() => new Float64Array(hiddenSize));
  }

  /** @throws BraidError NOT_FINITE */
  add(batch: readonly ScorePiece[], { hidden }: RunResult): void {
    const { hiddenSize } = this;
    let place = 0;
    for (const piece of batch) {
      const end = place + countScored(piece) * hiddenSize;
      const sum = this.sums[piece.row];
      if (sum === undefined || end > hidden.length) throw new Error('a run gave no hidden state for a token');
      for (; place < end; place++) {
        const at = place % hiddenSize;
        sum[at] = (sum[at] ?? 0) + (hidden[place] ?? NaN);
      }
      if (!sum.every(Number.isFinite)) throw createNotFiniteError(this.rows[piece.row]?.mixture ?? []);
    }
  }

  /** One vector [hiddenSize] a row. */
  get(): Float32Array[] {
    return this.sums.map((sum, row) => {
      const { ids, from } = this.rows[row] ?? { ids: [], from: 0 };
      return Float32Array.from(sum, (value) => value / (ids.length - from));
    });
  }
}
