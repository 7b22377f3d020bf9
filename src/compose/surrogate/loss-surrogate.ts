// Predicts the loss of every example under weights that were not measured, from those that were: a Gaussian process on the logarithms.
import { setImmediate } from 'node:timers/promises';
import { GaussianProcess } from './gaussian-process.js';
import { minimise, type Minimum, type Sloped } from './minimise.js';

// Losses fall from ten nats to a hundredth; in logarithms they are smooth, and below this floor differences mean nothing (nats).
const FLOOR = 0.02;

export interface MeasuredLosses {
  /** Weights within the span, [d]. */
  readonly point: readonly number[];
  /** −Σ log p over the answer, per example, nats; finite. */
  readonly nlls: readonly number[];
}

export interface LowestOptions {
  /** What the examples count: the loss is Σ share·nll. A share of 0 leaves an example out. */
  readonly shares: readonly number[];
  /** Of Σ|w|. */
  readonly price: number;
  readonly bound: number;
  /** How many standard deviations below the expected logarithm losses are hoped to be. @default 0 */
  readonly optimism?: number;
}

export class LossSurrogate {
  private constructor(private readonly process: GaussianProcess) {}

  static async fit(measured: readonly MeasuredLosses[]): Promise<LossSurrogate> {
    return new LossSurrogate(
      await GaussianProcess.fit({
        points: measured.map(({ point }) => point),
        values: measured.map(({ nlls }) => nlls.map((nll) => Math.log(nll + FLOOR))),
      }),
    );
  }

  /** The nll of each example at a point, nats. */
  predict(point: readonly number[]): number[] {
    return this.process.predict(point, { withDeviation: false }).means.map((y) => Math.max(Math.exp(y) - FLOOR, 0));
  }

  /** Where loss and price together are expected lowest, walking downhill from a point; other work of the thread goes on afterwards. */
  async findLowest(start: readonly number[], { shares, price, bound, optimism = 0 }: LowestOptions): Promise<Minimum> {
    const withDeviation = optimism !== 0;
    const expect = (point: readonly number[]): Sloped => {
      const { means, deviation, slope } = this.process.predict(point, { withDeviation });
      const hope = withDeviation ? optimism * deviation : 0;
      const losses = means.map((mean, k) => (shares[k] ?? 0) * Math.exp(mean - hope));
      const value = losses.reduce((sum, loss) => sum + loss, 0);
      return { value, gradient: slope(losses, -optimism * value) };
    };
    const lowest = minimise(expect, { start, price, bound });
    await setImmediate();
    return lowest;
  }
}
