// Adapters added to the weights themselves, a few rows at a time, so that no whole matrix is ever held.
import type { CanonicalModule } from './canonical-adapter.js';
import { isRowPerInput, type LinearModule } from './modules.js';
import { transpose } from './transpose.js';

/** ΔW in the orientation of the base's file: its rows [columns] are Σₖ left[row, k]·right[k, ·]. */
export interface FileDelta {
  readonly rank: number;
  /** The scale, w·s. */
  readonly scale: number;
  /** [rows, rank] */
  readonly left: Float32Array;
  /** [rank, columns] */
  readonly right: Float32Array;
  /** How much of each of the base's rows is added to it (DoRA). @default none */
  readonly rowGain?: Float32Array;
  /** The same for columns, where the file's columns are the outputs. @default none */
  readonly columnGain?: Float32Array;
}

/** ΔW of a linear module as its file has it: [dOut, dIn], of the embedding turned. */
export function createFileDelta({ rank, scale, a, b, gain }: CanonicalModule, { class: linearClass, dIn, dOut }: LinearModule): FileDelta {
  if (!isRowPerInput(linearClass)) return { rank, scale, left: b, right: a, ...(gain && { rowGain: gain }) };
  return { rank, scale, left: transpose(a, rank, dIn), right: transpose(b, dOut, rank), ...(gain && { columnGain: gain }) };
}

/**
 * Semantics: W' = W + gain ⊙ W + ΔW, for some rows.
 * Inputs: `weights` [n, columns], the rows from `firstRow` on; not changed.
 * Output: [n, columns].
 * Numerics: summed in float64, rounded to float32 once.
 */
export function mergeRows(
  weights: Float32Array,
  firstRow: number,
  { rank, scale, left, right, rowGain, columnGain }: FileDelta,
): Float32Array {
  const columns = right.length / rank;
  const merged = new Float32Array(weights.length);
  const row = new Float64Array(columns);
  for (let start = 0, r = firstRow; start < weights.length; start += columns, r++) {
    const ofRow = 1 + (rowGain?.[r] ?? 0);
    for (let n = 0; n < columns; n++) row[n] = (ofRow + (columnGain?.[n] ?? 0)) * (weights[start + n] ?? 0);
    for (let k = 0; k < rank; k++) {
      const factor = scale * (left[r * rank + k] ?? 0);
      if (factor === 0) continue;
      const from = k * columns;
      for (let n = 0; n < columns; n++) row[n] = (row[n] ?? 0) + factor * (right[from + n] ?? 0);
    }
    merged.set(row, start);
  }
  return merged;
}
