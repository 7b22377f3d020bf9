// Predicts the loss of every example under weights that were not measured, from those that were: a Gaussian process on the logarithms.
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

  static fit(measured: readonly MeasuredLosses[]): LossSurrogate {
    return new LossSurrogate(
      GaussianProcess.fit({
        points: measured.map(({ point }) => point),
        values: measured.map(({ nlls }) => nlls.map((nll) => Math.log(nll + FLOOR))),
      }),
    );
  }

  /** The nll of each example at a point, nats. */
  predict(point: readonly number[]): number[] {
    return this.process.predict(point).means.map((y) => Math.max(Math.exp(y) - FLOOR, 0));
  }

  /** Where loss and price together are expected lowest, walking downhill from a point. */
  findLowest(start: readonly number[], { shares, price, bound, optimism = 0 }: LowestOptions): Minimum {
    const expect = (point: readonly number[]): Sloped => {
      const { means, gradients, deviation, deviationGradient } = this.process.predict(point);
      let value = 0;
      const gradient = new Float64Array(point.length);
      for (const [k, mean] of means.entries()) {
        const shifted = (shares[k] ?? 0) * Math.exp(mean - optimism * deviation);
        value += shifted;
        for (const [j, hope] of deviationGradient.entries())
          gradient[j] = (gradient[j] ?? 0) + shifted * ((gradients[k]?.[j] ?? 0) - optimism * hope);
      }
      return { value, gradient };
    };
    return minimise(expect, { start, price, bound });
  }
}
