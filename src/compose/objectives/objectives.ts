// The objectives by name: what a request may ask for, and which file does it.
import { checkChoices } from '#src/tokenizer/choices.js';
import type { PlacedExample, TokenizedExample } from '#src/tokenizer/examples.js';
import { failCompose } from '../compose.errors.js';
import type { Ties } from '../stages/verdict.js';
import { choiceWords, measureChoice } from './choice.js';
import { EXACT_WORDS, measureExact } from './exact.js';
import type { ExampleMeasure, ObjectiveWords, Tokenize } from './example-measure.js';
import { LIKELIHOOD_WORDS, measureLikelihood } from './likelihood.js';
import { measureNormalised, NORMALISED_WORDS } from './normalised.js';
import { measureReward, REWARD_WORDS } from './reward.js';

export const OBJECTIVE_NAMES = ['likelihood', 'normalised', 'choice', 'exact', 'reward'] as const;
export type ObjectiveName = (typeof OBJECTIVE_NAMES)[number];

/** What the examples are judged by, as requests, jobs and recipes carry it. */
export interface NamedObjective {
  readonly name: ObjectiveName;
  /** Of `choice`: without blanks around them, at least two. */
  readonly choices?: readonly string[];
  /** Of `reward`: the URL of the service. */
  readonly reward?: string;
}

export const LIKELIHOOD: NamedObjective = { name: 'likelihood' };

interface ObjectiveKind {
  words(objective: NamedObjective): ObjectiveWords;
  /** Undefined where the examples cannot be asked so. @throws BraidError of examples */
  measure(examples: readonly PlacedExample[], tokenize: Tokenize, objective: NamedObjective): Promise<ExampleMeasure | undefined>;
}

const objectives: Readonly<Record<ObjectiveName, ObjectiveKind>> = {
  likelihood: { words: () => LIKELIHOOD_WORDS, measure: ofAnswers(measureLikelihood) },
  normalised: { words: () => NORMALISED_WORDS, measure: ofAnswers(measureNormalised) },
  choice: {
    words: ({ choices = [] }) => choiceWords(choices.length),
    measure: (examples, tokenize, { choices = [] }) => measureChoice(examples, choices, tokenize),
  },
  exact: { words: () => EXACT_WORDS, measure: ofAnswers(measureExact) },
  reward: { words: () => REWARD_WORDS, measure: ofAnswers(measureReward) },
};

export function wordsOf(objective: NamedObjective): ObjectiveWords {
  return objectives[objective.name].words(objective);
}

/** The objective on examples, asked as `tokenize` does; undefined where they cannot be asked so. @throws BraidError of examples */
export function applyObjective(
  objective: NamedObjective,
  examples: readonly PlacedExample[],
  tokenize: Tokenize,
): Promise<ExampleMeasure | undefined> {
  return objectives[objective.name].measure(examples, tokenize, objective);
}

/** The success that guessing has. */
export function guessOf({ choices }: NamedObjective): number {
  return choices === undefined ? 0 : 1 / choices.length;
}

/** Which of two methods of equal success is better: a reward says all there is to say, so the simpler one; else the one with the lower losses. */
export function tiesOf({ name }: NamedObjective): Ties {
  return name === 'reward' ? 'simpler' : 'surer';
}

export interface ObjectiveRequest {
  readonly objective?: ObjectiveName | undefined;
  readonly choices?: readonly string[] | undefined;
  readonly reward?: string | undefined;
}

/**
 * What a request asks for: choices or a reward service alone say enough, and without anything it is the likelihood.
 * @throws BraidError CHOICES_MISSING, CHOICES_UNUSED, CHOICES_REPEATED, CHOICE_BLANK, ANSWER_NOT_A_CHOICE, REWARD_MISSING, REWARD_UNUSED
 */
export function parseObjective({ objective, choices, reward }: ObjectiveRequest, examples: readonly PlacedExample[]): NamedObjective {
  const name = objective ?? (choices !== undefined ? 'choice' : reward !== undefined ? 'reward' : 'likelihood');
  if (name !== 'choice' && choices !== undefined) throw failCompose('CHOICES_UNUSED', { objective: name });
  if (name !== 'reward' && reward !== undefined) throw failCompose('REWARD_UNUSED', { objective: name });
  if (name === 'choice') {
    if (choices === undefined) throw failCompose('CHOICES_MISSING');
    return { name, choices: checkChoices(choices, examples) };
  }
  if (name === 'reward') {
    if (reward === undefined) throw failCompose('REWARD_MISSING');
    return { name, reward };
  }
  return { name };
}

function ofAnswers(measure: (examples: readonly TokenizedExample[]) => ExampleMeasure): ObjectiveKind['measure'] {
  return (examples, tokenize) => {
    const tokenized = tokenize(examples);
    return Promise.resolve(tokenized && measure(tokenized));
  };
}
