// The plainest searcher: the start, then uniform points of the box. What any other searcher must beat.
import { type RandomState, SeededRandom } from '#src/statistics/seeded-random.js';
import {
  type BestPoint,
  type Bounds,
  type Optimizer,
  type OptimizerSnapshot,
  OptimizerError,
  type Points,
  type StopReason,
  assertBox,
  assertValues,
  betterOf,
} from './optimizer.js';

export interface RandomSearchOptions {
  /** The first point of the first population. */
  readonly start: readonly number[];
  readonly bounds: Bounds;
  readonly seed: number;
  /** @default 16 */
  readonly populationSize?: number;
}

export interface RandomSearchSnapshot extends OptimizerSnapshot {
  readonly kind: 'random';
  readonly start: readonly number[];
  readonly bounds: Bounds;
  readonly populationSize: number;
  readonly started: boolean;
  readonly pending: Points | null;
  readonly best: BestPoint | null;
  readonly random: RandomState;
}

export class RandomSearch implements Optimizer {
  private readonly random: SeededRandom;

  private constructor(
    private state: Omit<RandomSearchSnapshot, 'random'>,
    random: RandomState,
  ) {
    this.random = SeededRandom.restore(random);
  }

  /** @throws OptimizerError for an empty box, a start outside it or a population below 1 */
  static create(options: RandomSearchOptions): RandomSearch {
    assertBox(options.start, options.bounds);
    const populationSize = options.populationSize ?? 16;
    if (!Number.isSafeInteger(populationSize) || populationSize < 1)
      throw new OptimizerError(`population size ${populationSize}: must be at least 1`);
    const { start, bounds, seed } = structuredClone(options);
    return new RandomSearch(
      { kind: 'random', format: 1, start, bounds, populationSize, started: false, pending: null, best: null },
      SeededRandom.fromSeed(seed).snapshot(),
    );
  }

  static restore(snapshot: RandomSearchSnapshot): RandomSearch {
    const { random, ...state } = structuredClone(snapshot);
    return new RandomSearch(state, random);
  }

  get dimension(): number {
    return this.state.start.length;
  }

  ask(): Points {
    if (this.state.pending === null) {
      const { start, bounds, populationSize, started } = this.state;
      const pending = Array.from({ length: populationSize }, (_, k) =>
        start.map((x, i) => {
          if (k === 0 && !started) return x;
          const lower = bounds.lower[i] ?? 0;
          return lower + this.random.uniform() * ((bounds.upper[i] ?? 0) - lower);
        }),
      );
      this.state = { ...this.state, pending, started: true };
    }
    return structuredClone(this.state.pending ?? []);
  }

  tell(values: readonly number[]): void {
    if (this.state.pending === null) throw new OptimizerError('tell before ask');
    assertValues(values, this.state.pending.length);
    this.state = { ...this.state, best: betterOf(this.state.best ?? undefined, this.state.pending, values) ?? null, pending: null };
  }

  shouldStop(): StopReason | undefined {
    return undefined;
  }

  best(): BestPoint | undefined {
    return this.state.best === null ? undefined : structuredClone(this.state.best);
  }

  snapshot(): RandomSearchSnapshot {
    return { ...structuredClone(this.state), random: this.random.snapshot() };
  }
}
