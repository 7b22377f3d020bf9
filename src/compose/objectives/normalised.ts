// The likelihood of the answers, each example weighing the same however long its answer is.
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { type ExampleMeasure, measureAnswers, type ObjectiveWords } from './example-measure.js';
import { EXACT_ANSWERS } from './likelihood.js';

export const NORMALISED_WORDS: ObjectiveWords = {
  ...EXACT_ANSWERS,
  unit: 'nats',
  of: 'per answer token, mean over the examples',
  share: 'Chance',
  explainsLoss: 'Chance is the probability of the whole wanted answer, loss its negative logarithm divided by its tokens.',
};

/** Semantics: nll = −(Σ log p)/tokens of the answer; the chance of an exact answer is still that of all its tokens. */
export function measureNormalised(examples: readonly TokenizedExample[]): ExampleMeasure {
  return measureAnswers(examples, ({ nll, tokens, isExact }) => ({ nll: nll / tokens, tokens: 1, isExact, success: Math.exp(-nll) }));
}
