// What every variant is reduced to: ΔW = s·B·A of one module; the scale s is the variant's own and travels apart.

/** A matrix, row by row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns] */
  readonly values: Float32Array;
}

/** B·A, as a canonical module has it. */
export interface Factors {
  /** 0 where nothing is left. */
  readonly rank: number;
  /** A [rank, dIn], row by row. */
  readonly a: Float32Array;
  /** B [dOut, rank], row by row. */
  readonly b: Float32Array;
}

/** @throws RangeError when the values do not fill the shape */
export function matrix(rows: number, columns: number, values: Float32Array): Matrix {
  if (values.length !== rows * columns) throw new RangeError(`${values.length} values do not fill [${rows}, ${columns}]`);
  return { rows, columns, values };
}

/** Rows of A and columns of B, those that `isKept` says. */
export function keepDirections({ rank, a, b }: Factors, isKept: (direction: number) => boolean): Factors {
  const kept = Array.from({ length: rank }, (_, direction) => direction).filter(isKept);
  if (kept.length === rank) return { rank, a, b };
  const dIn = rank === 0 ? 0 : a.length / rank;
  const dOut = rank === 0 ? 0 : b.length / rank;
  const keptA = new Float32Array(kept.length * dIn);
  const keptB = new Float32Array(dOut * kept.length);
  for (const [i, direction] of kept.entries()) {
    keptA.set(a.subarray(direction * dIn, (direction + 1) * dIn), i * dIn);
    for (let out = 0; out < dOut; out++) keptB[out * kept.length + i] = b[out * rank + direction] ?? 0;
  }
  return { rank: kept.length, a: keptA, b: keptB };
}
