// A user's examples: JSON as TRL has them (prompt and completion, or chat messages) → tokens to score.
import { failExamples } from '#src/tokenizer/examples.errors.js';
import type { ChatMessage } from '#src/tokenizer/chat-template.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

/** Of a search: every evaluation scores every example, so more makes it slow without making it better. */
export const MOST_EXAMPLES = 256;

/** Texts, joined as they are. */
export interface TextExample {
  readonly prompt: string;
  readonly completion: string;
}

/** Messages for the model's chat template. */
export interface ChatExample {
  readonly prompt: readonly ChatMessage[];
  readonly completion: readonly ChatMessage[];
}

export type Example = TextExample | ChatExample;

/** An example with the words that name it in an error: "line 3" or "example 3". */
export interface PlacedExample {
  readonly place: string;
  readonly example: Example;
}

/** Score the tokens `ids[from..]` given those before them; `from` ≥ 1. */
export interface TokenizedExample {
  readonly ids: readonly number[];
  readonly from: number;
}

/**
 * The JSON values of a JSON Lines text, blank lines left out, with their line numbers from 1.
 * @throws BraidError EXAMPLE_NOT_JSON naming the line
 */
export function parseJsonLines(text: string): { readonly line: number; readonly value: unknown }[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n/)
    .map((content, i) => ({ line: i + 1, content }))
    .filter(({ content }) => content.trim() !== '')
    .map(({ line, content }) => {
      try {
        return { line, value: JSON.parse(content) as unknown };
      } catch (cause) {
        throw failExamples(
          'EXAMPLE_NOT_JSON',
          { place: `line ${line}`, reason: cause instanceof Error ? cause.message : 'unreadable' },
          cause,
        );
      }
    });
}

/** The examples of a JSON Lines text. @throws BraidError EXAMPLE_NOT_JSON and as `parseExamples` */
export function parseExampleLines(text: string): PlacedExample[] {
  const lines = parseJsonLines(text);
  assertCount(lines.length, MOST_EXAMPLES);
  return lines.map(({ line, value }) => placed(value, `line ${line}`));
}

/**
 * The examples of a list of JSON values, at most `most`. Fields that are not known are left aside, as TRL does with further columns.
 * @throws BraidError EXAMPLES_MISSING, EXAMPLES_TOO_MANY, EXAMPLE_INVALID, EXAMPLE_WITHOUT_OUTPUT
 */
export function parseExamples(values: readonly unknown[], most = MOST_EXAMPLES): PlacedExample[] {
  assertCount(values.length, most);
  return values.map((value, i) => placed(value, `example ${i + 1}`));
}

/**
 * Tokens of the examples.
 *
 * Texts: the tokens of the prompt as serving has them, with what the tokenizer adds in front (BOS), then the completion, then the end of
 * sequence. The completion's tokens are those that follow the prompt in the joined text, as TRL takes them; where joining would change
 * the prompt's own tokens (a prompt that ends with a space, say), the completion is tokenized by itself, because that is how the model
 * will have to answer. On all 3,974 examples of the SmolLM2 test bed both ways give the same tokens.
 * Messages: the model's template writes prompt and whole; what the whole adds is scored, up to its end of sequence.
 * @throws BraidError EXAMPLE_TOO_LONG, EXAMPLE_INVALID, EXAMPLE_WITHOUT_OUTPUT, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED
 */
export function tokenizeExamples(examples: readonly PlacedExample[], codec: TextCodec, contextLength: number): TokenizedExample[] {
  return examples.map((placedExample) => tokenizeExample(placedExample, codec, contextLength));
}

function assertCount(found: number, most: number): void {
  if (found === 0) throw failExamples('EXAMPLES_MISSING');
  if (found > most) throw failExamples('EXAMPLES_TOO_MANY', { found, most });
}

function placed(value: unknown, place: string): PlacedExample {
  if (!isRecord(value)) throw failExamples('EXAMPLE_INVALID', { place, reason: `${describe(value)}, not an object` });
  const { prompt, completion, messages } = value;
  if (messages !== undefined) {
    if (prompt !== undefined || completion !== undefined) {
      throw failExamples('EXAMPLE_INVALID', { place, reason: '"messages" beside "prompt" or "completion"; only one form is allowed' });
    }
    return { place, example: splitMessages(parseMessages(messages, 'messages', place), place) };
  }
  if (prompt === undefined) throw failExamples('EXAMPLE_INVALID', { place, reason: 'neither "prompt" nor "messages"' });
  if (completion === undefined || completion === null)
    throw failExamples('EXAMPLE_WITHOUT_OUTPUT', { place, reason: '"completion" is missing' });
  if (typeof prompt === 'string' && typeof completion === 'string') {
    if (completion.trim() === '') throw failExamples('EXAMPLE_WITHOUT_OUTPUT', { place, reason: '"completion" is blank' });
    return { place, example: { prompt, completion } };
  }
  if (typeof prompt === 'string' || typeof completion === 'string') {
    throw failExamples('EXAMPLE_INVALID', { place, reason: '"prompt" and "completion" must be both texts or both lists of messages' });
  }
  const example = { prompt: parseMessages(prompt, 'prompt', place), completion: parseMessages(completion, 'completion', place) };
  assertAnswer(example.completion, place);
  if (example.prompt.length === 0) throw failExamples('EXAMPLE_INVALID', { place, reason: '"prompt" has no message' });
  return { place, example };
}

function parseMessages(value: unknown, field: string, place: string): ChatMessage[] {
  if (!Array.isArray(value)) throw failExamples('EXAMPLE_INVALID', { place, reason: `"${field}" is ${describe(value)}` });
  return value.map((message: unknown, i) => {
    if (!isRecord(message) || typeof message['role'] !== 'string' || typeof message['content'] !== 'string') {
      throw failExamples('EXAMPLE_INVALID', { place, reason: `"${field}"[${i}] must have "role" and "content", both texts` });
    }
    const { role, content, name } = message;
    return { role, content, ...(typeof name === 'string' && { name }) };
  });
}

/** The last answer is what is learned; everything before it is the prompt. */
function splitMessages(messages: readonly ChatMessage[], place: string): Example {
  assertAnswer(messages, place);
  if (messages.length < 2) throw failExamples('EXAMPLE_INVALID', { place, reason: '"messages" has nothing before the answer' });
  return { prompt: messages.slice(0, -1), completion: messages.slice(-1) };
}

function assertAnswer(messages: readonly ChatMessage[], place: string): void {
  const last = messages.at(-1);
  if (last === undefined) throw failExamples('EXAMPLE_WITHOUT_OUTPUT', { place, reason: 'no messages' });
  if (last.role !== 'assistant')
    throw failExamples('EXAMPLE_WITHOUT_OUTPUT', { place, reason: `the last message is of role "${last.role.slice(0, 40)}"` });
  if (last.content.trim() === '') throw failExamples('EXAMPLE_WITHOUT_OUTPUT', { place, reason: "the assistant's answer is blank" });
}

export function isTextExample(example: Example): example is TextExample {
  return typeof example.prompt === 'string';
}

export interface TokenizeOptions {
  /** Of a text whose answer does not end with the end of sequence: what stands behind it. Tokens at its end may depend on that, as those of line breaks do. */
  readonly following?: string;
  /** How many examples the prompt begins with, for the refusal of what is too long. */
  readonly shots?: number;
}

/** Tokens of one example, as `tokenizeExamples` makes them. */
export function tokenizeExample(
  { place, example }: PlacedExample,
  codec: TextCodec,
  contextLength: number,
  { following, shots }: TokenizeOptions = {},
): TokenizedExample {
  const isText = isTextExample(example);
  const texts = isText ? example : renderMessages(example, place, codec);
  // Before anything is tokenized: a text this long cannot fit, whatever its tokens.
  const fewest = Math.ceil((texts.prompt.length + texts.completion.length) / codec.longestTokenLength);
  const behind = shots === undefined ? '' : ` with the ${shots === 1 ? 'example' : `${shots} examples`} in front of it`;
  if (fewest > contextLength) throw failExamples('EXAMPLE_TOO_LONG', { place, found: `at least ${fewest}`, behind, most: contextLength });

  const promptIds = codec.encode(texts.prompt, { addSpecialTokens: isText });
  if (promptIds.length === 0)
    throw failExamples('EXAMPLE_INVALID', { place, reason: 'the prompt has no tokens, so there is nothing to answer to' });
  const joined = encodeBefore(following, texts.prompt + texts.completion, codec, isText);
  const answerIds = promptIds.every((id, i) => joined[i] === id)
    ? joined.slice(promptIds.length)
    : encodeBefore(following, texts.completion, codec, false);
  if (answerIds.length === 0) {
    throw failExamples('EXAMPLE_WITHOUT_OUTPUT', { place, reason: "the model's tokenizer can write none of the completion" });
  }
  const ids = [...promptIds, ...(following === undefined ? endOnce(answerIds, codec) : answerIds)];
  if (ids.length > contextLength) throw failExamples('EXAMPLE_TOO_LONG', { place, found: ids.length, behind, most: contextLength });
  return { ids, from: promptIds.length };
}

/** The tokens that the text has where `following` stands behind it; those of the text alone where a token would reach over. */
function encodeBefore(following: string | undefined, text: string, codec: TextCodec, addSpecialTokens: boolean): number[] {
  if (following === undefined || following === '') return codec.encode(text, { addSpecialTokens });
  const whole = codec.encode(text + following, { addSpecialTokens });
  const behind = codec.encode(following, { addSpecialTokens: false });
  const length = whole.length - behind.length;
  return behind.every((id, i) => whole[length + i] === id) ? whole.slice(0, length) : codec.encode(text, { addSpecialTokens });
}

function renderMessages({ prompt, completion }: ChatExample, place: string, codec: TextCodec): { prompt: string; completion: string } {
  const whole = codec.applyChatTemplate([...prompt, ...completion], { addGenerationPrompt: false });
  const asked = codec.applyChatTemplate(prompt, { addGenerationPrompt: true });
  if (!whole.startsWith(asked)) {
    throw failExamples('EXAMPLE_INVALID', {
      place,
      reason:
        "the model's chat template does not write the answer behind its own generation prompt, so the answer cannot be told from the prompt",
    });
  }
  return { prompt: asked, completion: whole.slice(asked.length) };
}

/** Ends the answer with exactly one end of sequence: appended where a text has none, and what a template writes behind its own is cut. */
function endOnce(ids: readonly number[], codec: TextCodec): number[] {
  const ends = new Set(codec.eosTokenIds);
  const last = ids.findLastIndex((id) => ends.has(id));
  if (last >= 0 && codec.decode(ids.slice(last + 1)).trim() === '') return ids.slice(0, last + 1);
  // A model without an end of sequence has answers without one.
  return codec.eosTokenId === undefined ? [...ids] : [...ids, codec.eosTokenId];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
