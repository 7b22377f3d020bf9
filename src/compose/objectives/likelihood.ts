// The likelihood of the answers, Σ nll / Σ tokens over the examples: PyTorch's mean cross-entropy over a batch, as LoraHub minimises it.
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { type ExampleMeasure, measureAnswers, type ObjectiveWords } from './example-measure.js';

export const EXACT_ANSWERS = {
  success: 'exact answers',
  isExact: 'exact',
  explainsSuccess: 'An answer is exact when greedy decoding gives all of it.',
} as const;

export const LIKELIHOOD_WORDS: ObjectiveWords = {
  ...EXACT_ANSWERS,
  unit: 'nats',
  of: 'per answer token',
  share: 'Chance',
  explainsLoss: 'Chance is the probability of the whole wanted answer, loss its negative logarithm.',
};

/** Semantics: nll = −Σ log p over the answer's tokens, tokens = their number, so that long answers weigh more. */
export function measureLikelihood(examples: readonly TokenizedExample[]): ExampleMeasure {
  return measureAnswers(examples, (loss) => loss);
}
