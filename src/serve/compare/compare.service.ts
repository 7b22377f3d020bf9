// One input through several models at once; what one model refuses is its own answer and nobody else's.
import { randomInt, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { openAiErrorBody, type OpenAiErrorBody } from '#src/http/openai-error.js';
import type { ChatBody } from '#src/serve/chat-answer.js';
import type { CompareRequestDto, ComparedModelDto } from '#src/serve/compare/compare-request.dto.js';
import type { CompletionBody } from '#src/serve/completion-answer.js';
import { parseChatMessages } from '#src/serve/chat-messages.js';
import { assertOneInput } from '#src/serve/one-input.js';
import { GenerationService } from '#src/serve/generation.service.js';
import { visibleError } from '#src/serve/send-answer.js';
import type { Usage } from '#src/serve/usage.js';

/** What a completion or chat of this model alone answers in its one choice, with its usage; or the error that it would be. */
export type ComparedChoice = ComparedModelDto & { readonly index: number } & (
    | ((Omit<CompletionBody['choices'][number], 'index'> | Omit<ChatBody['choices'][number], 'index'>) & {
        readonly system_fingerprint: string;
        readonly usage: Usage;
      })
    | OpenAiErrorBody
  );

export interface Comparison {
  readonly id: string;
  readonly object: 'comparison';
  /** Unix seconds. */
  readonly created: number;
  /** One per model, in the request's order. */
  readonly choices: readonly ComparedChoice[];
  /** Of all that answered. */
  readonly usage: Usage;
}

@Injectable()
export class CompareService {
  constructor(private readonly generation: GenerationService) {}

  /** @param signal ends the work when the client leaves. @throws BraidError INVALID_VALUE, UNSUPPORTED_PARAMETER for an input that no model could read */
  async compare(request: CompareRequestDto, signal: AbortSignal): Promise<Comparison> {
    assertOneInput(request);
    if (request.messages !== undefined && request.messages !== null) parseChatMessages(request.messages);
    const { models, ...fields } = request;
    // Where answers are sampled they differ by their models, not by luck.
    const common = { ...fields, seed: fields.seed ?? randomInt(2 ** 47) };
    // Asked for side by side, so that the engine joins them to one batch.
    const answers = await Promise.all(models.map((model) => this.answer(common, model, signal)));
    return {
      id: `cmp-${randomUUID().replaceAll('-', '')}`,
      object: 'comparison',
      created: Math.floor(Date.now() / 1000),
      choices: answers.map((answer, index) => ({ ...answer, index })),
      usage: sumUsage(answers.flatMap((answer) => ('usage' in answer ? [answer.usage] : []))),
    };
  }

  private async answer(fields: Omit<CompareRequestDto, 'models'>, model: ComparedModelDto, signal: AbortSignal): Promise<ComparedChoice> {
    const named = { index: 0, ...model };
    try {
      const request = { ...fields, ...model, logprobs: null };
      const answer =
        request.messages === undefined || request.messages === null
          ? await this.generation.complete({ ...request, prompt: request.prompt }, signal)
          : await this.generation.chat({ ...request, messages: request.messages }, signal);
      if (!('body' in answer)) throw new Error('a comparison is not streamed');
      const { choices, usage, system_fingerprint } = answer.body;
      const [choice] = choices;
      if (choice === undefined || usage === undefined || usage === null) throw new Error('an answer without a choice or its usage');
      return { ...choice, ...named, system_fingerprint, usage };
    } catch (error) {
      signal.throwIfAborted();
      return { ...named, ...openAiErrorBody(visibleError(error)) };
    }
  }
}

function sumUsage(usages: readonly Usage[]): Usage {
  const sum = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  for (const usage of usages) {
    sum.prompt_tokens += usage.prompt_tokens;
    sum.completion_tokens += usage.completion_tokens;
    sum.total_tokens += usage.total_tokens;
  }
  return sum;
}
