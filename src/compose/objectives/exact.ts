// Whether greedy decoding gives the answer, with a small share of the likelihood: where nothing is exact yet, that alone says which way to go.
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { type ExampleMeasure, measureAnswers, type ObjectiveWords } from './example-measure.js';
import { EXACT_ANSWERS } from './likelihood.js';
import { likelihoodShare, SHARE_IN_WORDS } from './likelihood-share.js';

export const EXACT_WORDS: ObjectiveWords = {
  ...EXACT_ANSWERS,
  unit: 'errors',
  of: 'per example and a small share of the likelihood',
  explainsLoss: `Loss is 1 for an answer that is not exact, plus ${SHARE_IN_WORDS}.`,
};

/**
 * Semantics: nll = [not exact] + 0.05·log(1 + nats per token). Exact is when every answer token is the likeliest given those before it,
 * which is when greedy decoding gives the answer: nothing has to be generated.
 */
export function measureExact(examples: readonly TokenizedExample[]): ExampleMeasure {
  return measureAnswers(examples, ({ nll, tokens, isExact }) => ({
    nll: (isExact ? 0 : 1) + likelihoodShare({ nll, tokens }),
    tokens: 1,
    isExact,
    success: isExact ? 1 : 0,
  }));
}
