// The strategy parameters of CMA-ES with active covariance update. Numbers of equations: Hansen, "The CMA Evolution Strategy:
// A Tutorial" (arXiv:1604.00772v2), table 1.

export interface CmaParameters {
  /** λ */
  readonly populationSize: number;
  /** w₁ ≥ … ≥ w_λ; the positive ones sum to 1. */
  readonly weights: readonly number[];
  /** μ_eff of the positive weights. */
  readonly effectiveParents: number;
  readonly cSigma: number;
  readonly dSigma: number;
  readonly cCumulation: number;
  readonly cRankOne: number;
  readonly cRankMu: number;
  /** E‖N(0, I)‖ */
  readonly expectedNorm: number;
}

/** λ = 4 + ⌊3·ln n⌋ (eq. 48). */
export function defaultPopulationSize(n: number): number {
  return 4 + Math.floor(3 * Math.log(n));
}

export function createCmaParameters(n: number, lambda: number): CmaParameters {
  const raw = Array.from({ length: lambda }, (_, i) => Math.log((lambda + 1) / 2) - Math.log(i + 1)); // eq. 49
  const positive = raw.filter((w) => w > 0);
  const negative = raw.filter((w) => w < 0);
  const effectiveParents = sum(positive) ** 2 / sumOfSquares(positive);
  const effectiveNegatives = negative.length === 0 ? 0 : sum(negative) ** 2 / sumOfSquares(negative);

  const cCumulation = (4 + effectiveParents / n) / (n + 4 + (2 * effectiveParents) / n); // eq. 56
  const cRankOne = 2 / ((n + 1.3) ** 2 + effectiveParents); // eq. 57
  const cRankMu = Math.min(
    1 - cRankOne,
    (2 * (0.25 + effectiveParents + 1 / effectiveParents - 2)) / ((n + 2) ** 2 + effectiveParents), // eq. 58
  );
  // eqs. 50-53: negative weights as large as they may be without losing positive definiteness.
  const negativeSum = Math.min(
    1 + cRankOne / cRankMu,
    1 + (2 * effectiveNegatives) / (effectiveParents + 2),
    (1 - cRankOne - cRankMu) / (n * cRankMu),
  );
  const weights = raw.map((w) => (w >= 0 ? w / sum(positive) : (w * negativeSum) / -sum(negative)));

  const cSigma = (effectiveParents + 2) / (n + effectiveParents + 5); // eq. 55
  const dSigma = 1 + 2 * Math.max(0, Math.sqrt((effectiveParents - 1) / (n + 1)) - 1) + cSigma;
  const expectedNorm = Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
  return { populationSize: lambda, weights, effectiveParents, cSigma, dSigma, cCumulation, cRankOne, cRankMu, expectedNorm };
}

function sum(xs: readonly number[]): number {
  return xs.reduce((total, x) => total + x, 0);
}

function sumOfSquares(xs: readonly number[]): number {
  return xs.reduce((total, x) => total + x * x, 0);
}
