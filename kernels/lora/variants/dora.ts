// DoRA: every row of the adapted weight is brought to a learned length. What that does to the base's own rows is a gain per row.
import type { Factors } from './factors.js';

/** What DoRA makes of one module of one base. */
export interface DoraGain {
  /** g − 1 [dOut]: how much of each of the base's rows is added to it. */
  readonly gain: Float32Array;
  /** ‖W' − W₀‖ in the Frobenius norm. */
  readonly deltaNorm: number;
}

/** A row of W₀ + s·B·A is zero, so it has no direction. */
export class ZeroRowError extends RangeError {
  override readonly name = 'ZeroRowError';
  constructor(readonly row: number) {
    super(`row ${row} of the adapted weight is zero`);
  }
}

/** Magnitudes are float32, and so were the lengths that training began with: a gain this small is their rounding. */
const SMALLEST_GAIN = 1e-6;
/** Of a squared length: what is left when summands cancel is rounding. */
const ROUNDING = 1e-12;

/**
 * Semantics: W' = diag(m/‖W₀ + s·B·A‖)·(W₀ + s·B·A), ‖·‖ over each row (Liu et al. 2024, arXiv:2402.09353, eq. 5). The gain
 * g = m/‖W₀ + s·B·A‖ depends on base and adapter alone, so W' − W₀ = diag(g − 1)·W₀ + s·(diag(g)·B)·A is a delta like any other: it is multiplied by
 * a composition's weight and added to other deltas.
 * Inputs: A [r, dIn], B [dOut, r], s, m [dOut], and W₀ [dOut, dIn] piece by piece, each number of it once, in any order.
 * Numerics: float64 sums of w², of w·Aᵀ and of A·Aᵀ give every length without forming B·A: ‖w + s·bA‖² = w·w + 2s·b·(A·w) + s²·b·(AAᵀ)·bᵀ.
 */
export class DoraMeasure {
  private readonly dIn: number;
  /** w·w of each row [dOut] */
  private readonly squares: Float64Array;
  /** W₀·Aᵀ [dOut, r] */
  private readonly products: Float64Array;

  constructor(
    private readonly factors: Factors,
    private readonly scale: number,
    private readonly magnitude: Float32Array,
  ) {
    this.dIn = factors.a.length / factors.rank;
    this.squares = new Float64Array(magnitude.length);
    this.products = new Float64Array(magnitude.length * factors.rank);
  }

  /** Takes in whole rows of W₀, [n, dIn], from row `first` on. */
  addRows(first: number, rows: Float32Array): void {
    const { dIn } = this;
    const { rank, a } = this.factors;
    for (let o = first, start = 0; start < rows.length; o++, start += dIn) {
      let square = 0;
      for (let n = 0; n < dIn; n++) square += (rows[start + n] ?? 0) ** 2;
      this.squares[o] = square;
      for (let i = 0; i < rank; i++) {
        let product = 0;
        for (let n = 0; n < dIn; n++) product += (rows[start + n] ?? 0) * (a[i * dIn + n] ?? 0);
        this.products[o * rank + i] = product;
      }
    }
  }

  /** Takes in whole columns of W₀, [n, dOut], from column `first` on: rows of an embedding, which lies turned. */
  addColumns(first: number, columns: Float32Array): void {
    const { rank, a } = this.factors;
    const dOut = this.squares.length;
    for (let n = first, start = 0; start < columns.length; n++, start += dOut) {
      for (let o = 0; o < dOut; o++) {
        const value = columns[start + o] ?? 0;
        this.squares[o] = (this.squares[o] ?? 0) + value * value;
        for (let i = 0; i < rank; i++) {
          const place = o * rank + i;
          this.products[place] = (this.products[place] ?? 0) + value * (a[i * this.dIn + n] ?? 0);
        }
      }
    }
  }

  /** When all of W₀ was taken in. @throws ZeroRowError */
  finish(): DoraGain {
    const { rank, b } = this.factors;
    const gram = gramOfRows(this.factors, this.dIn);
    const gain = new Float32Array(this.squares.length);
    let sum = 0;
    for (const [o, ownSquare] of this.squares.entries()) {
      let mixed = 0;
      let deltaSquare = 0;
      for (let i = 0; i < rank; i++) {
        const weight = this.scale * (b[o * rank + i] ?? 0);
        mixed += weight * (this.products[o * rank + i] ?? 0);
        for (let j = 0; j < rank; j++) deltaSquare += weight * this.scale * (b[o * rank + j] ?? 0) * (gram[i * rank + j] ?? 0);
      }
      const square = ownSquare + 2 * mixed + deltaSquare;
      if (!(square > ROUNDING * (ownSquare + deltaSquare))) throw new ZeroRowError(o);
      const excess = (this.magnitude[o] ?? 0) / Math.sqrt(square) - 1;
      gain[o] = Math.abs(excess) <= SMALLEST_GAIN ? 0 : excess;
      const [own, g] = [gain[o] ?? 0, 1 + (gain[o] ?? 0)];
      sum += own * own * ownSquare + 2 * own * g * mixed + g * g * deltaSquare;
    }
    return { gain, deltaNorm: Math.sqrt(Math.max(0, sum)) };
  }
}

/** diag(1 + gain)·B beside A: B [dOut, r], gain [dOut]. */
export function gainFactors({ rank, a, b }: Factors, gain: Float32Array): Factors {
  return { rank, a, b: b.map((value, i) => value * (1 + (gain[Math.floor(i / rank)] ?? 0))) };
}

/** A·Aᵀ [r, r] in float64. */
function gramOfRows({ rank, a }: Factors, dIn: number): Float64Array {
  const gram = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let n = 0; n < dIn; n++) sum += (a[i * dIn + n] ?? 0) * (a[j * dIn + n] ?? 0);
      gram[i * rank + j] = sum;
      gram[j * rank + i] = sum;
    }
  }
  return gram;
}
