// Multiple choice: every choice is scored in the place of the answer, nothing is generated, and the right one is to be the likeliest.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { answerTextOf, pickChoice, withAnswer } from '#src/tokenizer/choices.js';
import type { PlacedExample, TokenizedExample } from '#src/tokenizer/examples.js';
import type { ExampleMeasure, ObjectiveWords, Tokenize } from './example-measure.js';

export function choiceWords(choices: number): ObjectiveWords {
  return {
    unit: 'nats',
    of: `of the right one among ${choices} choices`,
    success: 'accuracy',
    isExact: 'right',
    explainsSuccess: 'Accuracy is the share of examples whose likeliest choice is the right one.',
    explainsLoss:
      "Loss is the negative logarithm of the right choice's share of the probability of all choices. The answers are what the model writes when it may write anything.",
  };
}

/**
 * Semantics: nll = −log softmax over the choices' log-likelihoods at the right one; exact is when that one is the likeliest, the first of
 * equals. Where the model computes no finite number for a choice, nothing can be said of the others either: Infinity.
 * @param choices without blanks around them; every example's answer is one of them
 */
export async function measureChoice(
  examples: readonly PlacedExample[],
  choices: readonly string[],
  tokenize: Tokenize,
): Promise<ExampleMeasure | undefined> {
  const own = tokenize(examples);
  if (own === undefined) return undefined;
  const offered: (readonly TokenizedExample[])[] = [];
  for (const choice of choices) {
    const tokenized = tokenize(examples.map((example) => withAnswer(example, choice)));
    if (tokenized === undefined) return undefined;
    offered.push(tokenized);
    // Tokenizing is this thread's work, and others want answers meanwhile.
    await nextTurn();
  }
  const right = examples.map((example) => choices.indexOf(answerTextOf(example).trim()));
  return {
    examples: own,
    rows: offered.flat(),
    rowsOf: (example) => choices.map((_, choice) => choice * examples.length + example),
    lossOf: (losses, example) => {
      const scores = losses.map(({ nll, tokens }) => ({ logprob: -nll, tokens }));
      const nll = negativeLogSoftmax(
        scores.map(({ logprob }) => logprob),
        right[example] ?? -1,
      );
      const isExact = Number.isFinite(nll) && pickChoice(scores, { lengthNormalized: false }) === right[example];
      return { nll, tokens: 1, isExact, success: isExact ? 1 : 0 };
    },
  };
}

function negativeLogSoftmax(logits: readonly number[], index: number): number {
  if (!logits.every(Number.isFinite)) return Infinity;
  const highest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
  // Never below 0: the sum is at least the term of the highest, which is 1.
  return Math.log(sum) + (highest - (logits[index] ?? NaN));
}
