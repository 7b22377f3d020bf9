// What a composition of the prompted model puts in front of a request: its examples, as a text or as earlier turns.
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import { failServe } from '#src/serve/serve.errors.js';
import type { ChatMessage } from '#src/tokenizer/chat-template.js';
import { areTexts, asShots, putTurnsBefore, type Shots, writeShots } from '#src/tokenizer/shots.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

/** In front of a text; empty for a model without a prompt of its own. @throws BraidError PROMPT_IS_CHAT */
export function writeFront(model: string, prompt: CompositionPrompt | null): string {
  const shots = asShots(prompt?.examples ?? []);
  if (shots === undefined) return '';
  if (!areTexts(shots)) throw failServe('PROMPT_IS_CHAT', { field: 'model', model, examples: count(shots) });
  return writeShots(shots);
}

/** The conversation behind the model's own turns, if it has any. @throws BraidError PROMPT_IS_TEXT */
export function putFront(model: string, prompt: CompositionPrompt | null, messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const shots = asShots(prompt?.examples ?? []);
  if (shots === undefined) return messages;
  if (areTexts(shots)) throw failServe('PROMPT_IS_TEXT', { field: 'model', model, examples: count(shots) });
  return putTurnsBefore(shots, messages);
}

function count({ length }: Shots): string {
  return length === 1 ? '1 example' : `${length} examples`;
}

/** Tokens that a client made, behind those of a text, and where they begin; a beginning of sequence stands once, in front. */
export function putTextBefore(
  ids: readonly number[],
  front: string,
  codec: TextCodec,
  { addSpecialTokens }: { readonly addSpecialTokens: boolean },
): { readonly ids: readonly number[]; readonly from: number } {
  if (front === '') return { ids, from: 0 };
  const before = codec.encode(front, { addSpecialTokens });
  const isTwice = isBeginning(before[0], codec) && isBeginning(ids[0], codec);
  return { ids: [...before, ...(isTwice ? ids.slice(1) : ids)], from: before.length };
}

function isBeginning(id: number | undefined, codec: TextCodec): boolean {
  return id !== undefined && codec.tokenText(id) === codec.bosToken;
}

/**
 * Where in `ids` the tokens of `text` begin, `front` before them. A token that reaches over belongs to the text, so that all of it is there.
 */
export function findTextStart(ids: readonly number[], front: string, text: string, codec: TextCodec): number {
  if (front === '') return 0;
  const own = codec.encode(text, { addSpecialTokens: false });
  const start = ids.length - own.length;
  if (own.every((id, i) => ids[start + i] === id)) return start;
  const decoder = codec.createStreamDecoder({ skipSpecialTokens: false });
  const decoded = ids.map((id, i) => (i === 0 && isBeginning(id, codec) ? 0 : decoder.push(id).length));
  let end = 0;
  const first = decoded.findIndex((length) => (end += length) > front.length);
  return first < 0 ? ids.length : first;
}
