// The small share of the likelihood in objectives that count steps: where all answers are equally bad, that alone says which way to go.
import type { ExampleLoss } from '../evaluate.js';

/** Of log(1 + nats per token): a hopeless answer of 20 nats a token adds 0.15, less than one wrong answer among five examples. */
const LIKELIHOOD_SHARE = 0.05;

export const SHARE_IN_WORDS = `${LIKELIHOOD_SHARE}·log(1 + nats per answer token)`;

/** 0.05·log(1 + nats per token) of an answer. */
export function likelihoodShare({ nll, tokens }: Pick<ExampleLoss, 'nll' | 'tokens'>): number {
  return LIKELIHOOD_SHARE * Math.log1p(nll / tokens);
}
