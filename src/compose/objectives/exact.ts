// Whether greedy decoding gives the answer, with a small share of the likelihood: where nothing is exact yet, that alone says which way to go.
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { type ExampleMeasure, measureAnswers, type ObjectiveWords } from './example-measure.js';
import { EXACT_ANSWERS } from './likelihood.js';

/** Of log(1 + nats per token): a hopeless answer of 20 nats a token adds 0.15, less than one wrong answer among five examples. */
const LIKELIHOOD_SHARE = 0.05;

export const EXACT_WORDS: ObjectiveWords = {
  ...EXACT_ANSWERS,
  unit: 'errors',
  of: 'per example and a small share of the likelihood',
  explainsLoss: `Loss is 1 for an answer that is not exact, plus ${LIKELIHOOD_SHARE}·log(1 + nats per answer token).`,
};

/**
 * Semantics: nll = [not exact] + 0.05·log(1 + nats per token). Exact is when every answer token is the likeliest given those before it,
 * which is when greedy decoding gives the answer: nothing has to be generated.
 */
export function measureExact(examples: readonly TokenizedExample[]): ExampleMeasure {
  return measureAnswers(examples, ({ nll, tokens, isExact }) => ({
    nll: (isExact ? 0 : 1) + LIKELIHOOD_SHARE * Math.log1p(nll / tokens),
    tokens: 1,
    isExact,
    success: isExact ? 1 : 0,
  }));
}
