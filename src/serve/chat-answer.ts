// What POST /v1/chat/completions answers: one object, or chunks whose deltas add up to it.
import type { Finish } from '#src/serve/answer.js';
import type { AnswerHead, AnswerWriter, ChoiceContent, RenderOptions } from '#src/serve/answer-writer.js';
import { type ChatLogprobs, renderChatLogprobs } from '#src/serve/logprobs.js';
import type { Usage } from '#src/serve/usage.js';

interface ChatChoice {
  index: number;
  message?: { role: 'assistant'; content: string; refusal: null };
  delta?: { role?: 'assistant'; content?: string };
  logprobs: ChatLogprobs | null;
  finish_reason: Finish['reason'] | null;
  stop_reason?: Finish['stopReason'];
  token_ids?: readonly number[];
}

export interface ChatBody extends AnswerHead {
  object: 'chat.completion' | 'chat.completion.chunk';
  choices: ChatChoice[];
  prompt_token_ids?: readonly number[];
  usage?: Usage | null;
}

export function createChatWriter({ write, hasLogprobs, hasTokenIds }: RenderOptions): AnswerWriter<ChatBody> {
  const common = ({ index, tokens, finish }: ChoiceContent) => ({
    index,
    logprobs: hasLogprobs ? renderChatLogprobs(tokens, write) : null,
    finish_reason: finish?.reason ?? null,
    ...(finish === undefined ? {} : { stop_reason: finish.stopReason }),
    ...(hasTokenIds ? { token_ids: tokens.map(({ id }) => id) } : {}),
  });
  const promptIds = (content: ChoiceContent | undefined) =>
    hasTokenIds && content?.isFirst === true ? { prompt_token_ids: content.prompt.ids } : {};
  const chunk = (head: AnswerHead, choices: ChatChoice[]): ChatBody => ({ ...head, object: 'chat.completion.chunk', choices });
  return {
    opening: (head, index) => [chunk(head, [{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }])],
    chunk: (head, content) => ({
      ...chunk(head, [{ ...common(content), delta: content.text === '' ? {} : { content: content.text } }]),
      ...promptIds(content),
    }),
    usageChunk: (head) => chunk(head, []),
    whole: (head, contents) => ({
      ...head,
      object: 'chat.completion',
      choices: contents.map((content) => ({ ...common(content), message: { role: 'assistant', content: content.text, refusal: null } })),
      ...promptIds(contents[0]),
    }),
  };
}
