// Keeps the books of a search: every weight vector is scored once per example, counted against the budget, and the best is remembered.
import type { Evaluate, ExampleLoss } from './evaluate.js';
import { type Objective, objectiveOf, type WeightVector } from './objective.js';

/** A weight vector on all examples. */
export interface Evaluation {
  readonly weights: WeightVector;
  /** One per example, in their order. */
  readonly examples: readonly ExampleLoss[];
  /** Σ nll / Σ tokens over all examples: nats per answer token, or what the objective says. */
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
  readonly exampleCount: number;
  readonly objective: Objective;
  /** Evaluations in all; one is a weight vector on all examples, and a part of the examples costs its part. */
  readonly budget: number;
  /** Examples that one evaluation is counted for: more than there are where others of them are measured elsewhere. @default exampleCount */
  readonly examplesPerEvaluation?: number;
  readonly onProgress?: (progress: LedgerProgress) => void;
}

interface Entry {
  readonly weights: WeightVector;
  readonly examples: (ExampleLoss | undefined)[];
  /** Set once every example is known. */
  evaluation?: Evaluation;
}

const ROUNDING = 1e-6;

export class EvaluationLedger {
  readonly exampleCount: number;
  private readonly entries = new Map<string, Entry>();
  private readonly points: CurvePoint[] = [];
  private bestEvaluation: Evaluation | undefined;
  /** Pairs of weight vector and example that were scored. */
  private pairs = 0;
  /** Pairs that are kept for later. */
  private held = 0;

  constructor(private readonly options: LedgerOptions) {
    this.exampleCount = options.exampleCount;
  }

  get objective(): Objective {
    return this.options.objective;
  }

  /** An empty ledger of the same examples, measured by `evaluate`, whose spending goes on where this one's ends. */
  continueWith(evaluate: Evaluate): EvaluationLedger {
    const next = new EvaluationLedger({ ...this.options, evaluate });
    next.pairs = this.pairs;
    return next;
  }

  /** Spent so far; a fraction where a vector was scored on a part of the examples. */
  get evaluations(): number {
    return this.pairs / (this.options.examplesPerEvaluation ?? this.exampleCount);
  }

  /** What may be spent now, in weight vectors on the examples of this ledger. */
  get remaining(): number {
    return this.spendable / this.exampleCount;
  }

  /** Keeps so many weight vectors on the examples of this ledger back for later stages; 0 frees them. */
  reserve(vectors: number): void {
    this.held = Math.ceil(vectors * this.exampleCount);
  }

  /** A vector that was scored on all examples. */
  find(weights: WeightVector): Evaluation | undefined {
    return this.entries.get(keyOf(weights))?.evaluation;
  }

  /** How much of scoring these vectors on all examples is paid already, in evaluations. */
  knownShare(vectors: readonly WeightVector[]): number {
    const known = new Map(vectors.map((weights) => [keyOf(weights), this.entries.get(keyOf(weights))]));
    const pairs = [...known.values()].reduce(
      (sum, entry) => sum + (entry?.examples.filter((example) => example !== undefined).length ?? 0),
      0,
    );
    return pairs / this.exampleCount + (vectors.length - known.size);
  }

  private get spendable(): number {
    const { budget, examplesPerEvaluation = this.exampleCount } = this.options;
    // A budget may be pairs divided by examples, which multiplied again can be a hair less than the pairs.
    return Math.max(0, Math.floor(budget * examplesPerEvaluation + ROUNDING) - this.pairs - this.held);
  }

  get best(): Evaluation | undefined {
    return this.bestEvaluation;
  }

  get curve(): readonly CurvePoint[] {
    return this.points;
  }

  /** Every vector that was scored on all examples, in the order in which they were completed. */
  get complete(): Evaluation[] {
    return [...this.entries.values()].flatMap(({ evaluation }) => evaluation ?? []);
  }

  /**
   * Scores vectors on all examples in one batch; what is known already is looked up and costs nothing.
   * @returns one evaluation per vector, in order, up to the first that the budget no longer covers
   * @throws what `evaluate` throws; nothing is counted then
   */
  async score(vectors: readonly WeightVector[], stage: string): Promise<Evaluation[]> {
    const all = Array.from({ length: this.exampleCount }, (_, i) => i);
    const entries = await this.fill(vectors, all, stage);
    return entries.flatMap(({ evaluation }) => evaluation ?? []);
  }

  /**
   * The same on some of the examples.
   * @returns for every vector that the budget covers the losses of these examples, in their order
   */
  async scorePart(vectors: readonly WeightVector[], examples: readonly number[], stage: string): Promise<(readonly ExampleLoss[])[]> {
    const entries = await this.fill(vectors, examples, stage);
    return entries.map((entry) => examples.flatMap((i) => entry.examples[i] ?? []));
  }

  private async fill(vectors: readonly WeightVector[], examples: readonly number[], stage: string): Promise<Entry[]> {
    const covered: Entry[] = [];
    const fresh = new Map<Entry, number[]>();
    const most = this.spendable;
    let wanted = 0;
    for (const weights of vectors) {
      const key = keyOf(weights);
      const entry = this.entries.get(key) ?? { weights: [...weights], examples: new Array<ExampleLoss | undefined>(this.exampleCount) };
      const missing = fresh.has(entry) ? [] : examples.filter((i) => entry.examples[i] === undefined);
      if (wanted + missing.length > most) break;
      this.entries.set(key, entry);
      if (missing.length > 0) fresh.set(entry, missing);
      wanted += missing.length;
      covered.push(entry);
    }
    if (fresh.size > 0) {
      const requests = [...fresh].map(([{ weights }, missing]) => ({ weights, examples: missing }));
      this.record([...fresh], await this.options.evaluate(requests), stage);
    }
    return covered;
  }

  private record(
    fresh: readonly (readonly [Entry, readonly number[]])[],
    results: readonly (readonly ExampleLoss[])[],
    stage: string,
  ): void {
    for (const [k, [entry, missing]] of fresh.entries()) {
      const losses = results[k] ?? [];
      if (losses.length !== missing.length) throw new Error(`evaluate gave ${losses.length} losses for ${missing.length} examples`);
      for (const [j, i] of missing.entries()) entry.examples[i] = losses[j];
      this.pairs += missing.length;
      this.settle(entry, stage);
    }
    this.options.onProgress?.({ stage, evaluations: this.evaluations, budget: this.options.budget, best: this.bestEvaluation });
  }

  private settle(entry: Entry, stage: string): void {
    const examples = entry.examples.filter((example) => example !== undefined);
    if (examples.length < this.exampleCount) return;
    const loss = meanLoss(examples);
    const objective = objectiveOf(loss, entry.weights, this.options.objective);
    const evaluation = { weights: entry.weights, examples, loss, objective };
    entry.evaluation = evaluation;
    if (objective >= (this.bestEvaluation?.objective ?? Infinity)) return;
    this.bestEvaluation = evaluation;
    this.points.push({ evaluations: this.evaluations, stage, objective, loss });
  }
}

/** Σ nll / Σ tokens: PyTorch's mean cross-entropy over a batch, as LoraHub computes it. NaN for no examples. */
export function meanLoss(examples: readonly ExampleLoss[]): number {
  let nll = 0;
  let tokens = 0;
  for (const example of examples) {
    nll += example.nll;
    tokens += example.tokens;
  }
  return nll / tokens;
}

// Adding 0 makes −0 the same weight as 0.
function keyOf(vector: WeightVector): string {
  return vector.map((w) => w + 0).join(',');
}
