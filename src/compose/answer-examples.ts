// What base and composition answer to the first examples, decoded greedily: for the report, where answers say more than losses.
import { BraidError } from '#src/http/braid-error.js';
import type { Engine, Mixture } from '#src/runtime/engine.js';
import { patiently } from '#src/runtime/patiently.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

const MOST_ANSWERED = 20;
const MOST_TOKENS = 32;
/** Tokens beyond the longest wanted answer, to see whether one ends where it should. */
const BEYOND = 4;
/** What a search takes from the answers that people wait for is little at a time. */
const EXAMPLES_AT_A_TIME = 4;
/** A vocabulary may have tokens of any length, and the report is a row in a database. */
const MOST_CHARACTERS = 600;

export interface GivenAnswer {
  readonly text: string;
  /** False when it was cut before its end. */
  readonly isComplete: boolean;
}

/** Null where the model computes no finite number. */
export interface ExampleAnswers {
  readonly base: GivenAnswer | null;
  readonly composed: GivenAnswer | null;
}

export interface AnswerOptions {
  readonly engine: Engine;
  readonly codec: TextCodec;
  readonly examples: readonly TokenizedExample[];
  /** The composition. */
  readonly mixture: Mixture;
  /** Ends an answer as the end of sequence does, where the examples have texts in front. */
  readonly separator?: string | undefined;
  readonly signal: AbortSignal;
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
  { ids, from }: TokenizedExample,
  mixture: Mixture,
  maxTokens: number,
  { engine, codec, separator, signal }: AnswerContext,
): Promise<GivenAnswer | null> {
  const prompt = ids.slice(0, from);
  const attempt = async (): Promise<GivenAnswer> => {
    const decoder = codec.createStreamDecoder({ context: prompt });
    let text = '';
    let isComplete = false;
    const tokens = engine.generate({
      ids: prompt,
      mixture,
      // The example itself fits, so there is room for one token at least.
      maxTokens: Math.min(maxTokens, engine.contextLength - from),
      stopTokens: codec.eosTokenIds,
      sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
      topLogprobs: 0,
      stream: false,
      signal,
    });
    for await (const { id, finish } of tokens) {
      isComplete = finish === 'stop';
      if (!isComplete) text += decoder.push(id);
      const end = separator === undefined ? -1 : text.indexOf(separator);
      if (end >= 0) return storable(text.slice(0, end), true);
    }
    return storable(text + decoder.end(), isComplete);
  };
  try {
    return await patiently(attempt, signal);
  } catch (error) {
    if (error instanceof BraidError && error.code === 'NOT_FINITE') return null;
    throw error;
  }
}

/** Bounded, and without what PostgreSQL cannot hold: NUL and half of a surrogate pair. */
function storable(text: string, isComplete: boolean): GivenAnswer {
  const kept = text.length <= MOST_CHARACTERS ? text : text.slice(0, MOST_CHARACTERS).replace(/[\ud800-\udbff]$/, '');
  return { text: kept.replace(/\0|\p{Surrogate}/gu, '\ufffd'), isComplete: isComplete && kept.length === text.length };
}
