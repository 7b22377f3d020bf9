// Which tokens of a task's texts a signature reads: the answers given their prompts, or what a card says about the task.
import type { EmbedRow } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';
import { MOST_ANSWER_TOKENS, MOST_PROMPT_TOKENS, MOST_TEXTS, type ReferenceText } from './signature-method.js';

/** What is known of an adapter that came without examples. */
export interface TaskCard {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  /** README.md */
  readonly card: string;
}

type Tokens = Pick<TextCodec, 'encode' | 'eosTokenIds'>;
interface Limits {
  readonly contextLength: number;
}

// The beginning of a card says what it is about; the rest is how it was trained.
const MOST_CARD_CHARACTERS = 1_000;
const CARD_PROMPT = 'What the task is about:';

/** Rows of at most {@link MOST_TEXTS} of the examples, evenly taken. */
export function createExampleRows(examples: readonly TokenizedExample[], codec: Tokens, limits: Limits): EmbedRow[] {
  const count = Math.min(examples.length, MOST_TEXTS);
  return Array.from({ length: count }, (_, i) => examples[Math.floor((i * examples.length) / count)])
    .filter((example) => example !== undefined)
    .map((example) => cutRow(example, codec, limits));
}

/** A row of the card's words; none where the tokenizer can write none of them. */
export function createCardRows({ name, description, tags, card }: TaskCard, codec: Tokens, limits: Limits): EmbedRow[] {
  const body = card.replace(/^\uFEFF?---[ \t]*\r?\n[\s\S]*?\r?\n---[ \t]*(?:\r?\n|$)/, '');
  const words = [
    name
      .split('/')
      .at(-1)
      ?.replace(/[^\p{L}\p{N}]+/gu, ' '),
    description,
    tags.join(', '),
    body.replace(/[#*`|]+/g, ' '),
  ];
  const text = words.filter((part) => part?.trim()).join('. ');
  return createTextRows([{ prompt: CARD_PROMPT, completion: ` ${text.slice(0, MOST_CARD_CHARACTERS).trim()}` }], codec, limits);
}

/** Rows of texts as they are; a text of no tokens gives none. */
export function createTextRows(texts: readonly ReferenceText[], codec: Tokens, limits: Limits): EmbedRow[] {
  return texts.flatMap(({ prompt, completion }) => {
    const promptIds = codec.encode(prompt);
    const answerIds = codec.encode(completion, { addSpecialTokens: false });
    return answerIds.length === 0 ? [] : [cutRow({ ids: [...promptIds, ...answerIds], from: promptIds.length }, codec, limits)];
  });
}

/** The end of the prompt and the beginning of the answer, without the end of sequence that every answer has. */
function cutRow({ ids, from }: TokenizedExample, { eosTokenIds }: Tokens, { contextLength }: Limits): EmbedRow {
  const last = ids.at(-1);
  const hasEnd = last !== undefined && eosTokenIds.includes(last) && ids.length - from > 1;
  const answer = Math.min(ids.length - from - (hasEnd ? 1 : 0), MOST_ANSWER_TOKENS, contextLength);
  const prompt = Math.min(from, MOST_PROMPT_TOKENS, contextLength - answer);
  return { ids: ids.slice(from - prompt, from + answer), from: prompt, mixture: [] };
}
