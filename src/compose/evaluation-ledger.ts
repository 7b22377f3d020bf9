// Keeps the books of a search: every weight vector is scored once, counted against the budget, and the best is remembered.
import { type Objective, objectiveOf, type WeightVector } from './objective.js';

/** Losses of weight vectors, in their order; one call is one batch. NaN or Infinity: cannot be evaluated. */
export type Evaluate = (vectors: readonly WeightVector[]) => Promise<readonly number[]>;

export interface Evaluation {
  readonly weights: WeightVector;
  /** Mean negative log-likelihood per answer token, nats. */
  readonly loss: number;
  readonly objective: number;
}

/** The best so far after this many evaluations; a point for every improvement. */
export interface CurvePoint {
  readonly evaluations: number;
  readonly stage: string;
  readonly objective: number;
  readonly loss: number;
}

export interface LedgerProgress {
  readonly stage: string;
  readonly evaluations: number;
  readonly budget: number;
  /** Absent until a point could be evaluated. */
  readonly best: Evaluation | undefined;
}

export interface LedgerOptions {
  readonly evaluate: Evaluate;
  readonly objective: Objective;
  /** Weight vectors that may be scored in all. */
  readonly budget: number;
  readonly onProgress?: (progress: LedgerProgress) => void;
}

export class EvaluationLedger {
  private readonly known = new Map<string, Evaluation>();
  private readonly points: CurvePoint[] = [];
  private bestEvaluation: Evaluation | undefined;

  constructor(private readonly options: LedgerOptions) {}

  get objective(): Objective {
    return this.options.objective;
  }

  get evaluations(): number {
    return this.known.size;
  }

  get remaining(): number {
    return this.options.budget - this.known.size;
  }

  get best(): Evaluation | undefined {
    return this.bestEvaluation;
  }

  get curve(): readonly CurvePoint[] {
    return this.points;
  }

  /**
   * Scores vectors in one batch; those scored before are looked up and cost nothing.
   * @returns one evaluation per vector, in order, up to the first that the budget no longer covers
   * @throws what `evaluate` throws; nothing is counted then
   */
  async score(vectors: readonly WeightVector[], stage: string): Promise<Evaluation[]> {
    const keys = vectors.map(keyOf);
    const fresh = new Map<string, WeightVector>();
    let covered = 0;
    for (const [i, key] of keys.entries()) {
      const vector = vectors[i];
      if (vector === undefined) break;
      if (!this.known.has(key) && !fresh.has(key)) {
        if (fresh.size === this.remaining) break;
        fresh.set(key, [...vector]);
      }
      covered++;
    }
    if (fresh.size > 0) this.record([...fresh.entries()], await this.options.evaluate([...fresh.values()]), stage);
    return keys.slice(0, covered).flatMap((key) => this.known.get(key) ?? []);
  }

  private record(fresh: readonly (readonly [string, WeightVector])[], losses: readonly number[], stage: string): void {
    if (losses.length !== fresh.length) throw new Error(`evaluate gave ${losses.length} losses for ${fresh.length} weight vectors`);
    for (const [i, [key, weights]] of fresh.entries()) {
      const loss = losses[i] ?? NaN;
      const evaluation = { weights, loss, objective: objectiveOf(loss, weights, this.options.objective) };
      this.known.set(key, evaluation);
      if (evaluation.objective < (this.bestEvaluation?.objective ?? Infinity)) {
        this.bestEvaluation = evaluation;
        this.points.push({ evaluations: this.known.size, stage, objective: evaluation.objective, loss });
      }
    }
    this.options.onProgress?.({ stage, evaluations: this.known.size, budget: this.options.budget, best: this.bestEvaluation });
  }
}

// Adding 0 makes −0 the same weight as 0.
function keyOf(vector: WeightVector): string {
  return vector.map((w) => w + 0).join(',');
}
