// Predicts the loss of every example under weights that were not measured, from those that were: a Gaussian process on the logarithms.
import { GaussianProcess } from './gaussian-process.js';

// Losses fall from ten nats to a hundredth; in logarithms they are smooth, and below this floor differences mean nothing (nats).
const FLOOR = 0.02;

export interface MeasuredLosses {
  /** Weights within the span, [d]. */
  readonly point: readonly number[];
  /** −Σ log p over the answer, per example, nats; finite. */
  readonly nlls: readonly number[];
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

  get lengthScale(): number {
    return this.process.lengthScale;
  }

  /**
   * The nll of each example at a point, nats.
   * @param optimism how many standard deviations below the expected logarithm @default 0
   */
  predict(point: readonly number[], optimism = 0): number[] {
    const shift = optimism === 0 ? 0 : optimism * this.process.deviation(point);
    return this.process.predict(point).map((y) => Math.max(Math.exp(y - shift) - FLOOR, 0));
  }
}
