// Cuts the rows of a score call into runs of the model: alike rows together, bounded in tokens and in logits.

export interface ScoreBatchLimits {
  /** Largest rows × longest row of a run. A single longer row still runs, alone. */
  readonly paddedTokens: number;
  /** Largest number of scored tokens of a run: each costs a row of logits. */
  readonly positions: number;
  /** A batch this full is closed where the mixture changes, so that rows share their pages. */
  readonly closeAtTokens: number;
}

/** A row to score: tokens `from`…`length − 1` given what precedes them. */
export interface ScoreSpan {
  readonly length: number;
  readonly from: number;
  /** Rows with equal keys use the same adapters. */
  readonly adaptersKey: string;
}

/** Scores tokens `from`…`to − 1` of row `row`; `to − 1` tokens are fed. */
export interface ScorePiece {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Every token of every row in exactly one piece, pieces in batches. A row with more scored tokens than a run may hold is cut into several
 * pieces; each is fed from the row's start, so a piece costs its end, not its size.
 */
export function planScoreBatches(rows: readonly ScoreSpan[], limits: ScoreBatchLimits): ScorePiece[][] {
  const pieces = rows.flatMap(({ length, from, adaptersKey }, row) => {
    const cut: (ScorePiece & { readonly adaptersKey: string })[] = [];
    for (let start = from; start < length; start += limits.positions) {
      cut.push({ row, from: start, to: Math.min(length, start + limits.positions), adaptersKey });
    }
    return cut;
  });
  pieces.sort((a, b) => (a.adaptersKey === b.adaptersKey ? b.to - a.to || a.row - b.row : a.adaptersKey < b.adaptersKey ? -1 : 1));

  const batches: ScorePiece[][] = [];
  let batch: ScorePiece[] = [];
  let columns = 0;
  let positions = 0;
  let lastKey: string | undefined;
  for (const { adaptersKey, ...piece } of pieces) {
    const widened = Math.max(columns, piece.to - 1);
    const isTooLarge = (batch.length + 1) * widened > limits.paddedTokens || positions + piece.to - piece.from > limits.positions;
    const isFullEnough = adaptersKey !== lastKey && batch.length * columns >= limits.closeAtTokens;
    if (batch.length > 0 && (isTooLarge || isFullEnough)) {
      batches.push(batch);
      batch = [];
      columns = 0;
      positions = 0;
    }
    batch.push(piece);
    columns = Math.max(columns, piece.to - 1);
    positions += piece.to - piece.from;
    lastKey = adaptersKey;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
