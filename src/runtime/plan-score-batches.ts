// Cuts the rows of a score call into runs of the model: alike rows together, bounded in tokens, in logits and in attention.

export interface ScoreBatchLimits {
  /** Largest rows × longest row of a run. */
  readonly paddedTokens: number;
  /** Largest number of scored tokens of a run: each costs a row of logits. */
  readonly positions: number;
  /** A batch this full is closed where the mixture changes, so that rows share their pages. */
  readonly closeAtTokens: number;
  /** Tokens that one run may feed of a row of this length. */
  readonly chunkTokens: (length: number) => number;
}

/** A row to score: tokens `from`…`length − 1` given what precedes them. */
export interface ScoreSpan {
  readonly length: number;
  readonly from: number;
  /** Tokens of the text that an encoder reads for the row. @default 0 */
  readonly sourceLength?: number;
  /** Rows with equal keys use the same adapters. */
  readonly adaptersKey: string;
  /** Rows with equal keys are under the same mixture over the same text, and compute the tokens they begin with in common. @default 0 */
  readonly lineKey?: number;
}

/** Feeds tokens `start`…`end − 1` of a row after what its earlier pieces fed, and scores tokens `from`…`end`; none when `from` > `end`. */
export interface ScorePiece {
  readonly row: number;
  readonly start: number;
  readonly end: number;
  readonly from: number;
  /** False when the row's next piece goes on from here. */
  readonly isLast: boolean;
}

/** Tokens that a piece scores. */
export function countScored({ from, end }: ScorePiece): number {
  return Math.max(0, end + 1 - from);
}

/**
 * Every token of every row in exactly one piece, pieces in batches to be run in order. A row too long for one run is fed in several, each a
 * batch of its own, over its own cache: the cost stays that of one pass, and the memory that of one piece.
 */
export function planScoreBatches(rows: readonly ScoreSpan[], limits: ScoreBatchLimits): ScorePiece[][] {
  const chains: ScorePiece[][] = [];
  const whole: (ScorePiece & { readonly adaptersKey: string; readonly lineKey: number; readonly sourceLength: number })[] = [];
  for (const [row, { length, from, adaptersKey, lineKey = 0, sourceLength = 0 }] of rows.entries()) {
    if (from >= length) continue;
    const pieces = cutRow(row, length, from, limits);
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined) whole.push({ ...first, adaptersKey, lineKey, sourceLength });
    else chains.push(...pieces.map((piece) => [piece]));
  }
  whole.sort((a, b) =>
    a.adaptersKey === b.adaptersKey ? a.lineKey - b.lineKey || b.end - a.end || a.row - b.row : a.adaptersKey < b.adaptersKey ? -1 : 1,
  );

  const batches: ScorePiece[][] = [];
  let batch: ScorePiece[] = [];
  let columns = 0;
  let positions = 0;
  let lastKey: string | undefined;
  for (const { adaptersKey, lineKey: _, sourceLength, ...piece } of whole) {
    const widened = Math.max(columns, piece.end + sourceLength);
    const isTooLarge = (batch.length + 1) * widened > limits.paddedTokens || positions + countScored(piece) > limits.positions;
    const isFullEnough = adaptersKey !== lastKey && batch.length * columns >= limits.closeAtTokens;
    if (batch.length > 0 && (isTooLarge || isFullEnough)) {
      batches.push(batch);
      batch = [];
      columns = 0;
      positions = 0;
    }
    batch.push(piece);
    columns = Math.max(columns, piece.end + sourceLength);
    positions += countScored(piece);
    lastKey = adaptersKey;
  }
  if (batch.length > 0) batches.push(batch);
  return [...batches, ...chains];
}

function cutRow(row: number, length: number, from: number, limits: ScoreBatchLimits): ScorePiece[] {
  const pieces: ScorePiece[] = [];
  // The last token is scored, never fed.
  const fed = length - 1;
  for (let start = 0; start < fed;) {
    const first = Math.max(from, start + 1);
    const end = Math.min(fed, start + limits.chunkTokens(length), first + limits.positions - 1);
    pieces.push({ row, start, end, from: first, isLast: end === fed });
    start = end;
  }
  return pieces;
}
