// What base and composition answer to the first examples, decoded greedily: for the report, where answers say more than losses.
import type { Mixture } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { answerGreedily, type GreedyAnswer, type GreedyOptions } from './greedy-answer.js';

const MOST_ANSWERED = 20;
const MOST_TOKENS = 32;
/** Tokens beyond the longest wanted answer, to see whether one ends where it should. */
const BEYOND = 4;
/** What a search takes from the answers that people wait for is little at a time. */
const EXAMPLES_AT_A_TIME = 4;
/** A vocabulary may have tokens of any length, and the report is a row in a database. */
const MOST_CHARACTERS = 600;

/** Null where the model computes no finite number. */
export interface ExampleAnswers {
  readonly base: GreedyAnswer | null;
  readonly composed: GreedyAnswer | null;
}

export interface AnswerOptions extends GreedyOptions {
  readonly examples: readonly TokenizedExample[];
  /** The composition. */
  readonly mixture: Mixture;
}

/**
 * For the first 20 examples, in their order; answers have at most 4 tokens more than the longest wanted one, and at most 32.
 * @throws what the engine throws, save NOT_FINITE; the signal's reason when it is aborted
 */
export async function answerExamples({ examples, mixture, ...context }: AnswerOptions): Promise<ExampleAnswers[]> {
  const longest = examples.reduce((most, { ids, from }) => Math.max(most, ids.length - from), 0);
  const maxTokens = Math.min(MOST_TOKENS, longest + BEYOND);
  const asked = examples.slice(0, MOST_ANSWERED);
  const given: ExampleAnswers[] = [];
  for (let i = 0; i < asked.length; i += EXAMPLES_AT_A_TIME) {
    const some = asked.slice(i, i + EXAMPLES_AT_A_TIME);
    given.push(...(await Promise.all(some.map((example) => answerBoth(example, mixture, maxTokens, context)))));
  }
  return given;
}

type AnswerContext = Omit<AnswerOptions, 'examples' | 'mixture'>;

async function answerBoth(example: TokenizedExample, mixture: Mixture, maxTokens: number, context: AnswerContext): Promise<ExampleAnswers> {
  const [base, composed] = await Promise.all([
    answer(example, [], maxTokens, context),
    mixture.length === 0 ? undefined : answer(example, mixture, maxTokens, context),
  ]);
  return { base, composed: composed === undefined ? base : composed };
}

async function answer(
  example: TokenizedExample,
  mixture: Mixture,
  maxTokens: number,
  context: AnswerContext,
): Promise<GreedyAnswer | null> {
  const given = await answerGreedily(example, mixture, maxTokens, context);
  return given === undefined ? null : storable(given);
}

/** Bounded, and without what PostgreSQL cannot hold: NUL and half of a surrogate pair. */
function storable({ text, isComplete }: GreedyAnswer): GreedyAnswer {
  const kept = text.length <= MOST_CHARACTERS ? text : text.slice(0, MOST_CHARACTERS).replace(/[\ud800-\udbff]$/, '');
  return { text: kept.replace(/\0|\p{Surrogate}/gu, '\ufffd'), isComplete: isComplete && kept.length === text.length };
}
