// Answers completion and chat requests: what the name means, the model's engine and tokenizer, a plan, its run, the answer's shape.
import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { type Engine, ENGINES, type Engines } from '#src/runtime/engine.js';
import { type AnswerHead, type AnswerWriter, type StreamUsage, writeChunks, writeWhole } from '#src/serve/answer-writer.js';
import { type ChatBody, createChatWriter } from '#src/serve/chat-answer.js';
import type { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { type CompletionBody, createCompletionWriter } from '#src/serve/completion-answer.js';
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import type { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';
import type { TokenWriter } from '#src/serve/logprobs.js';
import type { ModelFieldsDto } from '#src/serve/model-fields.dto.js';
import { type GenerationPlan, planChat, planCompletion } from '#src/serve/plan-generation.js';
import { type IndexedPiece, runPlan } from '#src/serve/run-plan.js';
import { type ServedModel, ServedModelsService } from '#src/serve/served-models.service.js';
import type { Usage } from '#src/serve/usage.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';

/** A whole answer, or its chunks as they come. */
export type Answer<Body extends object = object> = { readonly body: Body } | { readonly chunks: AsyncGenerator<object, void, undefined> };

/** What a request needs once its model is known. */
export interface Ground {
  readonly served: ServedModel;
  readonly engine: Engine;
  readonly codec: TextCodec;
}

@Injectable()
export class GenerationService {
  constructor(
    private readonly models: ServedModelsService,
    private readonly tokenizers: TokenizerService,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** @param signal ends the work when the client leaves. @throws BraidError as the plan, the engine and the names of models do */
  async complete(request: CompletionRequestDto, signal: AbortSignal): Promise<Answer<CompletionBody>> {
    const ground = await this.prepare(request);
    const plan = planCompletion(request, ground.codec, ground.engine, ground.served.prompt);
    const writer = createCompletionWriter(renderOptions(request, ground.codec, plan));
    return this.answer(request, ground, plan, writer, { prefix: 'cmpl', signal });
  }

  /** @param signal ends the work when the client leaves. @throws BraidError as the plan, the engine and the names of models do */
  async chat(request: ChatRequestDto, signal: AbortSignal): Promise<Answer<ChatBody>> {
    const ground = await this.prepare(request);
    const plan = planChat(request, ground.codec, ground.engine, ground.served.prompt);
    const writer = createChatWriter(renderOptions(request, ground.codec, plan));
    return this.answer(request, ground, plan, writer, { prefix: 'chatcmpl', signal });
  }

  /** The engine and the codec of the model that a request means. @throws BraidError as the engine and the names of models do */
  async prepare(request: ModelFieldsDto): Promise<Ground> {
    const served = await this.models.resolve(request);
    const [engine, codec] = await Promise.all([this.engines.get(served.baseModel.digest), this.tokenizers.get(served.baseModel)]);
    return { served, engine, codec };
  }

  /** The plan's answers, piece by piece. @param signal ends the work when the client leaves */
  run({ served, engine, codec }: Ground, plan: GenerationPlan, signal: AbortSignal): AsyncGenerator<IndexedPiece, void, undefined> {
    const { maxBatchRows, maxQueue, maxQueueTokens } = this.configuration;
    // A request must not be refused for the room that its own answers take.
    const longest = plan.prompts.reduce((most, { ids, maxTokens }) => Math.max(most, ids.length + maxTokens), 1);
    const rowsAtATime = Math.max(1, Math.min(maxBatchRows, maxQueue, Math.floor(maxQueueTokens / longest)));
    return runPlan(engine, codec, plan, { mixture: served.mixture, signal, rowsAtATime });
  }

  private async answer<Body extends { usage?: Usage | null }>(
    request: GenerationFieldsDto,
    ground: Ground,
    plan: GenerationPlan,
    writer: AnswerWriter<Body>,
    { prefix, signal }: { readonly prefix: string; readonly signal: AbortSignal },
  ): Promise<Answer<Body>> {
    const head: AnswerHead = {
      id: `${prefix}-${randomUUID().replaceAll('-', '')}`,
      created: Math.floor(Date.now() / 1000),
      model: request.model,
      system_fingerprint: fingerprint(ground.served),
    };
    const pieces = this.run(ground, plan, signal);
    if (!plan.isStream) return { body: await writeWhole(pieces, plan, head, writer) };
    return { chunks: writeChunks(pieces, plan, head, writer, streamUsage(request)) };
  }
}

function streamUsage({ stream_options: options }: GenerationFieldsDto): StreamUsage {
  return { atEnd: options?.include_usage ?? false, continuously: options?.continuous_usage_stats ?? false };
}

function renderOptions(request: GenerationFieldsDto, codec: TextCodec, plan: GenerationPlan) {
  const write: TokenWriter = {
    text: request.return_tokens_as_token_ids === true ? (id) => `token_id:${id}` : (id) => codec.tokenText(id),
    bytes: (id) => codec.tokenBytes(id),
  };
  return { write, hasLogprobs: plan.topLogprobs !== undefined, hasTokenIds: plan.returnsTokenIds };
}

/** Changes when what answers changes: another base, other adapters, other weights on them, other examples in front. */
function fingerprint({ baseModel, mixture, prompt }: ServedModel): string {
  const hash = createHash('sha256').update(baseModel.digest);
  for (const { digest, weight } of mixture) hash.update(` ${digest} ${weight}`);
  if (prompt !== null) hash.update(JSON.stringify(prompt.examples));
  return `fp_${hash.digest('hex').slice(0, 12)}`;
}
