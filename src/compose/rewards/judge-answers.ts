// Rewards of answers, each asked for once in a job: a service that is slow, dear or of two minds says one thing of one answer.
import { answerTextOf } from '#src/tokenizer/choices.js';
import { isTextExample, type PlacedExample } from '#src/tokenizer/examples.js';
import type { RewardHook, RewardQuestion } from './reward-hook.js';

/** Answers of one request: as many as there are examples at most, so that a service knows how much may come. */
export const MOST_ANSWERS_PER_REQUEST = 256;

/** An answer to one of the examples. */
export interface GivenAnswer {
  /** Its index. */
  readonly example: number;
  readonly answer: string;
}

/** Rewards in the order of the answers. @throws what the hook throws; the signal's reason when it is aborted */
export type Judge = (answers: readonly GivenAnswer[]) => Promise<readonly number[]>;

/** What is known is known for this judge's life; examples that are alike are one. */
export function createJudge(hook: RewardHook, examples: readonly PlacedExample[], signal: AbortSignal): Judge {
  const texts = examples.map(({ example }) => JSON.stringify(example));
  const firstAlike = texts.map((text) => texts.indexOf(text));
  const known = new Map<string, number>();
  const keyOf = ({ example, answer }: GivenAnswer): string => `${firstAlike[example]} ${answer}`;

  return async (answers) => {
    const unknown = new Map<string, RewardQuestion>();
    for (const given of answers) {
      const example = examples[given.example];
      if (example === undefined) throw new RangeError(`there is no example ${given.example} among ${examples.length}`);
      if (!known.has(keyOf(given))) unknown.set(keyOf(given), createQuestion(example, given.answer));
    }
    const entries = [...unknown];
    for (let from = 0; from < entries.length; from += MOST_ANSWERS_PER_REQUEST) {
      const part = entries.slice(from, from + MOST_ANSWERS_PER_REQUEST);
      const questions = part.map(([, question]) => question);
      const rewards = await hook(questions, signal);
      for (const [i, [key]] of part.entries()) known.set(key, rewards[i] ?? NaN);
    }
    return answers.map((given) => known.get(keyOf(given)) ?? NaN);
  };
}

/** As the task asks: without other examples in front. */
function createQuestion(placed: PlacedExample, answer: string): RewardQuestion {
  const { example } = placed;
  const asked = isTextExample(example) ? { prompt: example.prompt } : { messages: example.prompt };
  return { ...asked, answer, expected: answerTextOf(placed) };
}
