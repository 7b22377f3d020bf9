// A request's text becomes the tokens that the model reads: plain, or a conversation written by the model's chat template.
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import type { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { parseChatMessages } from '#src/serve/chat-messages.js';
import { putFront, putTextBefore } from '#src/serve/front.js';
import type { Prompt } from '#src/serve/prompt.js';
import { failServe } from '#src/serve/serve.errors.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

export interface ModelLimits {
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** @default false */
  readonly hasEncoder?: boolean;
}

export interface EncodedPrompt {
  readonly ids: readonly number[];
  /** Where the prompt's own tokens begin; undefined where a text stands in front of a text. */
  readonly from: number | undefined;
}

/**
 * Tokens of a prompt behind what the model puts in front of it.
 * @throws BraidError INVALID_VALUE, CONTEXT_LENGTH_EXCEEDED for a text that cannot fit, WORD_TOO_LONG
 */
export function encodePrompt(
  prompt: Prompt,
  codec: TextCodec,
  limits: ModelLimits,
  how: { readonly field: string; readonly addSpecialTokens: boolean; readonly front: string; readonly own: CompositionPrompt | null },
): EncodedPrompt {
  if ('ids' in prompt) {
    if (prompt.ids.length === 0) throw failServe('INVALID_VALUE', { field: how.field, rule: 'has no tokens; give at least one' });
    assertTokens(prompt.ids, limits, how.field);
    return putTextBefore(prompt.ids, how.front, codec, how);
  }
  // Refused before it is encoded, since encoding is what a long text would make costly.
  const text = how.front + prompt.text;
  const leastTokens = Math.floor(text.length / codec.longestTokenLength);
  if (leastTokens > limits.contextLength)
    throw failServe('CONTEXT_LENGTH_EXCEEDED', {
      field: how.field,
      limit: limits.contextLength,
      prompt: describeTokens(`at least ${leastTokens}`, how.own),
      answer: 1,
    });
  const ids = codec.encode(text, { addSpecialTokens: how.addSpecialTokens });
  if (ids.length === 0) throw failServe('INVALID_VALUE', { field: how.field, rule: 'has no tokens for this model; give at least one' });
  return { ids, from: how.front === '' ? 0 : undefined };
}

/** @throws BraidError INVALID_VALUE */
export function assertTokens(ids: readonly number[], { vocabularySize }: ModelLimits, field: string): void {
  const unknown = ids.find((id) => id >= vocabularySize);
  if (unknown !== undefined)
    throw failServe('INVALID_VALUE', { field, rule: `must hold tokens of the model, 0 to ${vocabularySize - 1}; found ${unknown}` });
}

/** What of a chat request makes its prompt. */
export type ChatText = Pick<
  ChatRequestDto,
  'model' | 'messages' | 'add_generation_prompt' | 'reasoning_effort' | 'chat_template_kwargs' | 'add_special_tokens'
>;

/**
 * Tokens of a conversation behind the model's own turns.
 * @throws BraidError INVALID_VALUE, UNSUPPORTED_PARAMETER, CONTEXT_LENGTH_EXCEEDED, PROMPT_IS_TEXT, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED
 */
export function encodeChat(request: ChatText, codec: TextCodec, limits: ModelLimits, own: CompositionPrompt | null): EncodedPrompt {
  const text = codec.applyChatTemplate(putFront(request.model, own, parseChatMessages(request.messages)), {
    addGenerationPrompt: request.add_generation_prompt ?? true,
    variables: {
      ...(typeof request.reasoning_effort === 'string' ? { reasoning_effort: request.reasoning_effort } : {}),
      ...request.chat_template_kwargs,
    },
  });
  const addSpecialTokens = request.add_special_tokens ?? false;
  return encodePrompt({ text }, codec, limits, { field: 'messages', addSpecialTokens, front: '', own });
}

/** How many tokens were found, and how many of them are not the request's. */
export function describeTokens(found: string | number, own: CompositionPrompt | null): string {
  return own === null ? String(found) : `${found}, ${own.tokens} of them in the composition's own examples,`;
}
