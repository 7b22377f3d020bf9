// What a user's service says of the answers, with a small share of the likelihood: where all rewards are alike, that says which way to go.
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { type ExampleMeasure, measureAnswers, type ObjectiveWords } from './example-measure.js';
import { likelihoodShare, SHARE_IN_WORDS } from './likelihood-share.js';

export const REWARD_WORDS: ObjectiveWords = {
  unit: 'reward missed',
  of: 'per example and a small share of the likelihood',
  success: 'mean reward',
  isExact: 'full reward',
  share: 'Reward',
  explainsSuccess: 'The reward is what the service says of a greedily decoded answer, from 0 to 1; it is full at 1.',
  explainsLoss: `Loss is 1 − reward, plus ${SHARE_IN_WORDS}.`,
};

/**
 * Semantics: nll = 1 − reward + 0.05·log(1 + nats per token), where the reward is the success of the row's loss: rewards/ puts it there.
 * An example is done when its reward is 1.
 */
export function measureReward(examples: readonly TokenizedExample[]): ExampleMeasure {
  return measureAnswers(examples, ({ nll, tokens, success }) => {
    if (success === undefined) throw new Error('an answer was not judged');
    return { nll: 1 - success + likelihoodShare({ nll, tokens }), tokens: 1, isExact: success === 1, success };
  });
}
