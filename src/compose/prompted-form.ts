// The prompted form of a request: whether its examples can stand in front of one another, their tokens there, and what serving will put in front.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BraidError } from '#src/http/braid-error.js';
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import { isTextExample, type PlacedExample, tokenizeExample, type TokenizedExample } from '#src/tokenizer/examples.js';
import { asShots, SEPARATOR, type Shots, shotsBefore, tokenizeBehind } from '#src/tokenizer/shots.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';
import { failCompose } from './compose.errors.js';

/** Every request pays for them; more belong into an adapter of their own. */
export const MOST_SHOTS = 32;

// Tokenizing is this thread's work, and others want answers meanwhile.
const TOKENIZED_AT_A_TIME = 8;

export interface PromptedForm {
  readonly examples: readonly PlacedExample[];
  /** How many examples stand in front of another; fewer than there are. */
  readonly shots: number;
  readonly codec: TextCodec;
  readonly contextLength: number;
}

/**
 * Everything that can be known to fail before tokens are made.
 * @throws BraidError SHOTS_NEED_EXAMPLES, SHOTS_MIXED, SHOT_UNENDED
 */
export function assertShots(examples: readonly PlacedExample[], shots: number): void {
  if (examples.length <= shots) throw failCompose('SHOTS_NEED_EXAMPLES', { shots, found: examples.length, needed: shots + 1 });
  if (asShots(examples.map(({ example }) => example)) === undefined) {
    const other = examples.find(({ example }) => isTextExample(example) !== isTextExample(examples[0]?.example ?? example));
    throw failCompose('SHOTS_MIXED', { first: examples[0]?.place ?? '', other: other?.place ?? '' });
  }
  for (const { place, example } of examples) {
    if (isTextExample(example) && (example.completion + SEPARATOR).indexOf(SEPARATOR) !== example.completion.length) {
      throw failCompose('SHOT_UNENDED', { place });
    }
  }
}

/**
 * The examples behind their shots.
 * @param asked with other answers where a choice is tried @default the examples themselves
 * @throws BraidError of examples
 */
export function tokenizeBehindShots(form: PromptedForm, asked: readonly PlacedExample[] = form.examples): TokenizedExample[] {
  return asked.map((example, i) => tokenizeOne(form, example, i));
}

/** The first examples, as serving puts them in front, and by how many tokens they lengthen what is asked behind them. */
export function createPrompt({ examples, shots, codec, contextLength }: PromptedForm): CompositionPrompt {
  const front = frontOf(examples, shots);
  // Behind the prompt as it is served, since there are more examples than shots.
  const last = examples.at(-1);
  if (last === undefined) throw new Error('there is no example behind the prompt');
  const tokens = tokenizeBehind(front, last, codec, contextLength).from - tokenizeExample(last, codec, contextLength).from;
  return { examples: front, tokens };
}

/** @throws BraidError SHOTS_TOO_LONG with the number that would fit, and of examples */
export async function assertShotsFit(form: PromptedForm, asked: readonly PlacedExample[] = form.examples): Promise<void> {
  const tooLong = await findTooLong(form, asked);
  if (tooLong === undefined) return;
  let fitting = form.shots - 1;
  // The one that did not fit is tried first: it is mostly the longest.
  const tried = [tooLong.index, ...asked.keys()];
  while (fitting > 0 && (await findTooLong({ ...form, shots: fitting }, asked, tried)) !== undefined) fitting--;
  const advice = fitting === 0 ? 'Not even one fits: leave shots out' : `With ${fitting} all of them fit`;
  throw failCompose('SHOTS_TOO_LONG', { ...tooLong, shots: form.shots, most: form.contextLength, fitting, advice });
}

async function findTooLong(
  form: PromptedForm,
  asked: readonly PlacedExample[],
  order: Iterable<number> = asked.keys(),
): Promise<{ readonly index: number; readonly place: string; readonly found: string } | undefined> {
  let done = 0;
  for (const index of order) {
    const example = asked[index];
    if (example === undefined) continue;
    try {
      tokenizeOne(form, example, index);
    } catch (error) {
      if (!(error instanceof BraidError) || error.code !== 'EXAMPLE_TOO_LONG') throw error;
      return { index, place: example.place, found: String(error.fields['found']) };
    }
    if (++done % TOKENIZED_AT_A_TIME === 0) await nextTurn();
  }
  return undefined;
}

function tokenizeOne({ examples, shots, codec, contextLength }: PromptedForm, asked: PlacedExample, index: number): TokenizedExample {
  const front = shotsBefore(index, examples.length, shots).flatMap((i) => examples[i] ?? []);
  return tokenizeBehind(frontOf(front, shots), asked, codec, contextLength);
}

function frontOf(examples: readonly PlacedExample[], shots: number): Shots {
  const front = asShots(examples.slice(0, shots).map(({ example }) => example));
  if (front === undefined) throw new Error('shots are examples of one form');
  return front;
}
