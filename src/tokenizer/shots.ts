// The prompted form of a task: some examples first, then what is asked, as one asks a base model without any adapter.
// Texts stand with a blank line between them, chats are earlier turns.
import type { ChatMessage } from './chat-template.js';
import { failExamples } from './examples.errors.js';
import {
  type ChatExample,
  type Example,
  isTextExample,
  type PlacedExample,
  type TextExample,
  tokenizeExample,
  type TokenizedExample,
} from './examples.js';
import type { TextCodec } from './text-codec.js';

/** Between texts; it also ends an answer, because a prompted model goes on with the next example instead of ending the text. */
export const SEPARATOR = '\n\n';

/** Examples of one form. */
export type Shots = readonly TextExample[] | readonly ChatExample[];

/** The examples as shots when all are texts, or all chats; undefined where they are mixed, or none. */
export function asShots(examples: readonly Example[]): Shots | undefined {
  const texts = examples.filter(isTextExample);
  if (examples.length === 0 || (texts.length > 0 && texts.length < examples.length)) return undefined;
  return texts.length > 0 ? texts : examples.filter((example): example is ChatExample => !isTextExample(example));
}

export function areTexts(shots: Shots): shots is readonly TextExample[] {
  return shots.every(isTextExample);
}

/**
 * Which examples stand before example `index` of `count`: the first `shots` of the others, in their order. Whoever asks something new gets
 * the first `shots` of all, so that the examples behind those are measured under exactly the prompt that is served, and all begin alike.
 */
export function shotsBefore(index: number, count: number, shots: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
    .filter((i) => i !== index)
    .slice(0, shots);
}

/** What stands before the text that is asked. */
export function writeShots(shots: readonly TextExample[]): string {
  return shots.map(({ prompt, completion }) => prompt + completion + SEPARATOR).join('');
}

/** The conversation behind the shots. Chats have one system message, at the beginning: that of the conversation, or of the first shot where it has none. */
export function putTurnsBefore(shots: readonly ChatExample[], messages: readonly ChatMessage[]): ChatMessage[] {
  const [system, asked] = splitSystem(messages);
  const turns = shots.flatMap(({ prompt, completion }) => [...splitSystem(prompt)[1], ...completion]);
  return [...(system.length > 0 ? system : splitSystem(shots[0]?.prompt ?? [])[0]), ...turns, ...asked];
}

/**
 * Tokens of an example behind the shots; a text's answer ends with the separator, a chat's with the end of its turn.
 * @throws BraidError EXAMPLE_OTHER_FORM, EXAMPLE_TOO_LONG and as `tokenizeExamples`
 */
export function tokenizeBehind(shots: Shots, { place, example }: PlacedExample, codec: TextCodec, contextLength: number): TokenizedExample {
  if (areTexts(shots) && isTextExample(example)) {
    const prompt = writeShots(shots) + example.prompt;
    const texts = { prompt, completion: example.completion + SEPARATOR };
    // Another example follows the separator, as it does between the shots.
    return tokenizeExample({ place, example: texts }, codec, contextLength, { following: shots[0]?.prompt ?? '', shots: shots.length });
  }
  if (areTexts(shots)) throw failExamples('EXAMPLE_OTHER_FORM', { place, found: 'messages', expected: 'texts' });
  if (isTextExample(example)) throw failExamples('EXAMPLE_OTHER_FORM', { place, found: 'a text', expected: 'messages' });
  const { prompt, completion } = example;
  const turns = putTurnsBefore(shots, prompt);
  return tokenizeExample({ place, example: { prompt: turns, completion } }, codec, contextLength, { shots: shots.length });
}

/** System messages at the beginning, and the rest. */
function splitSystem(messages: readonly ChatMessage[]): readonly [system: readonly ChatMessage[], rest: readonly ChatMessage[]] {
  const first = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const end = first < 0 ? messages.length : first;
  return [messages.slice(0, end), messages.slice(end)];
}
