// What POST /v1/completions answers: one object, or chunks of the same shape.
import type { Finish } from '#src/serve/answer.js';
import type { AnswerHead, AnswerWriter, ChoiceContent, RenderOptions } from '#src/serve/answer-writer.js';
import { type CompletionLogprobs, renderCompletionLogprobs } from '#src/serve/logprobs.js';
import type { Usage } from '#src/serve/usage.js';

interface CompletionChoice {
  index: number;
  text: string;
  logprobs: CompletionLogprobs | null;
  finish_reason: Finish['reason'] | null;
  stop_reason: Finish['stopReason'];
  prompt_token_ids?: readonly number[];
  token_ids?: readonly number[];
}

export interface CompletionBody extends AnswerHead {
  object: 'text_completion';
  choices: CompletionChoice[];
  usage?: Usage | null;
}

export function createCompletionWriter({ write, hasLogprobs, hasTokenIds }: RenderOptions): AnswerWriter<CompletionBody> {
  const choice = ({ index, prompt, text, tokens, echoedTokens, finish, isFirst }: ChoiceContent): CompletionChoice => ({
    index,
    text,
    logprobs: hasLogprobs ? renderCompletionLogprobs(tokens, write) : null,
    finish_reason: finish?.reason ?? null,
    stop_reason: finish?.stopReason ?? null,
    ...(hasTokenIds && isFirst ? { prompt_token_ids: prompt.ids } : {}),
    ...(hasTokenIds ? { token_ids: tokens.slice(echoedTokens).map(({ id }) => id) } : {}),
  });
  const body = (head: AnswerHead, choices: CompletionChoice[]): CompletionBody => ({ ...head, object: 'text_completion', choices });
  return {
    opening: () => [],
    chunk: (head, content) => body(head, [choice(content)]),
    usageChunk: (head) => body(head, []),
    whole: (head, contents) => body(head, contents.map(choice)),
  };
}
