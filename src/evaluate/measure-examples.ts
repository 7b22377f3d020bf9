// Some examples on an engine: the likelihood of their answers, the answers that the model writes, the choice it takes.
import { BraidError } from '#src/http/braid-error.js';
import type { Engine, Mixture } from '#src/runtime/engine.js';
import { mapAtATime } from '#src/runtime/map-at-a-time.js';
import { patiently } from '#src/runtime/patiently.js';
import { answerTextOf, type ChoiceScore, pickChoice, withAnswer } from '#src/tokenizer/choices.js';
import { type PlacedExample, type TokenizedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { areTexts, SEPARATOR, type Shots, tokenizeBehind } from '#src/tokenizer/shots.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';
import { answerOf, type ExpectedAnswer, expectedAnswer, isComplete } from './answer-text.js';

/** What is measured of every example. */
export interface MeasureSettings {
  readonly mixture: Mixture;
  /** What the model puts in front of every example; absent where nothing. */
  readonly shots?: Shots;
  /** Tokens that a generated answer may have. */
  readonly maxTokens: number;
  /** Without blanks around them; null: nothing is chosen. */
  readonly choices: readonly string[] | null;
  /** Whether a choice's log-likelihood is divided by its tokens. */
  readonly lengthNormalized: boolean;
}

/** What a model makes of one example. */
export interface ExampleOutcome {
  /** Answer tokens, ≥ 1. */
  readonly tokens: number;
  /** −Σ log p over them, nats; null when the model computes no finite number. */
  readonly nll: number | null;
  /** The compared lines of what the model wrote. */
  readonly answer: string;
  readonly isExact: boolean;
  /** Index of the likeliest choice; null without choices, or when none has a finite likelihood. */
  readonly choice: number | null;
  /** null without choices. */
  readonly isCorrect: boolean | null;
}

export interface MeasureContext {
  readonly engine: Engine;
  readonly codec: TextCodec;
  /** Answers that are generated at a time. */
  readonly rowsAtATime: number;
  readonly signal: AbortSignal;
}

/**
 * Outcomes in the examples' order.
 * @throws what the engine throws, save NOT_FINITE; the signal's reason when it is aborted
 */
export async function measureExamples(
  examples: readonly PlacedExample[],
  settings: MeasureSettings,
  context: MeasureContext,
): Promise<ExampleOutcome[]> {
  const { engine, codec, signal } = context;
  const { choices, mixture } = settings;
  const tokenized = tokenizeAsked(examples, settings, codec, engine.contextLength);
  const offered = examples.flatMap((example) => (choices ?? []).map((choice) => withAnswer(example, choice)));
  signal.throwIfAborted();
  const rows = [...tokenized, ...tokenizeAsked(offered, settings, codec, engine.contextLength)];
  const scores = await scoreRows(rows, mixture, context);
  const answers = await mapAtATime(examples, context.rowsAtATime, (example, i) =>
    generateAnswer(tokenized[i], expectedAnswer(answerTextOf(example)), settings, context),
  );
  return examples.map((example, i) => {
    const expected = expectedAnswer(answerTextOf(example));
    const answer = answers[i] ?? '';
    const score = scores[i];
    if (score === undefined) throw new Error('the engine answered with fewer rows than it was asked for');
    const { tokens, logprob } = score;
    const perExample = choices?.length ?? 0;
    const firstChoice = examples.length + i * perExample;
    const choice = pickChoice(scores.slice(firstChoice, firstChoice + perExample), settings);
    return {
      tokens,
      nll: Number.isFinite(logprob) ? -logprob : null,
      answer,
      isExact: answer === expected.text,
      choice: choice ?? null,
      isCorrect: choices === null ? null : choice !== undefined && choices[choice] === expected.text,
    };
  });
}

/** The tokens of examples as the model is asked them. @throws BraidError as `tokenizeExamples` and `tokenizeBehind` */
export function tokenizeAsked(
  examples: readonly PlacedExample[],
  { shots }: Pick<MeasureSettings, 'shots'>,
  codec: TextCodec,
  contextLength: number,
): TokenizedExample[] {
  if (shots === undefined) return tokenizeExamples(examples, codec, contextLength);
  return examples.map((example) => tokenizeBehind(shots, example, codec, contextLength));
}

/** One call for all rows; one that gives no finite number is found by halving. */
async function scoreRows(rows: readonly TokenizedExample[], mixture: Mixture, context: MeasureContext): Promise<ChoiceScore[]> {
  const { engine, signal } = context;
  try {
    const results = await patiently(
      () =>
        engine.score(
          rows.map((row) => ({ ...row, mixture })),
          { background: true, signal },
        ),
      signal,
    );
    return results.map(({ logprobs }) => ({ tokens: logprobs.length, logprob: logprobs.reduce((sum, logprob) => sum + logprob, 0) }));
  } catch (error) {
    if (!isNotFinite(error)) throw error;
    const [only] = rows;
    if (only !== undefined && rows.length === 1) return [{ tokens: only.ids.length - only.from, logprob: -Infinity }];
    const middle = Math.ceil(rows.length / 2);
    return [...(await scoreRows(rows.slice(0, middle), mixture, context)), ...(await scoreRows(rows.slice(middle), mixture, context))];
  }
}

/** Greedy, until the compared lines are complete, or the separator where texts stand in front; empty where the model computes no finite number. */
async function generateAnswer(
  example: TokenizedExample | undefined,
  expected: ExpectedAnswer,
  { mixture, maxTokens, shots }: MeasureSettings,
  { engine, codec, signal }: MeasureContext,
): Promise<string> {
  const ids = example?.ids.slice(0, example.from) ?? [];
  const separator = shots !== undefined && areTexts(shots) ? SEPARATOR : undefined;
  const attempt = async (): Promise<string> => {
    const decoder = codec.createStreamDecoder({ context: ids });
    let text = '';
    const tokens = engine.generate({
      ids,
      mixture,
      // The example itself fits, so there is room for one token at least.
      maxTokens: Math.min(maxTokens, engine.contextLength - ids.length),
      stopTokens: codec.eosTokenIds,
      sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
      topLogprobs: 0,
      stream: false,
      signal,
    });
    for await (const { id, finish } of tokens) {
      if (finish === 'stop') break;
      text += decoder.push(id);
      const end = separator === undefined ? -1 : text.indexOf(separator);
      if (end >= 0) return answerOf(text.slice(0, end), expected);
      if (isComplete(text, expected)) return answerOf(text, expected);
    }
    return answerOf(text + decoder.end(), expected);
  };
  try {
    return await patiently(attempt, signal);
  } catch (error) {
    if (isNotFinite(error)) return '';
    throw error;
  }
}

function isNotFinite(error: unknown): boolean {
  return error instanceof BraidError && error.code === 'NOT_FINITE';
}
