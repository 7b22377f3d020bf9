// Answers completion and chat requests: what the name means, the model's engine and tokenizer, a plan, its run, the answer's shape.
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { GenerationWatcher } from '#src/metrics/generation-watcher.js';
import type { ObservedGeneration } from '#src/metrics/observed-generation.js';
import { type Engine, ENGINES, type Engines } from '#src/runtime/engine.js';
import { type AnswerHead, type AnswerWriter, type StreamUsage, writeChunks, writeWhole } from '#src/serve/answer-writer.js';
import { type ChatBody, createChatWriter } from '#src/serve/chat-answer.js';
import type { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { type CompletionBody, createCompletionWriter } from '#src/serve/completion-answer.js';
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { fingerprintOf } from '#src/serve/fingerprint.js';
import type { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';
import type { TokenWriter } from '#src/serve/logprobs.js';
import type { ModelFieldsDto } from '#src/serve/model-fields.dto.js';
import { type GenerationPlan, planChat, planCompletion } from '#src/serve/plan-generation.js';
import { type IndexedPiece, runPlan } from '#src/serve/run-plan.js';
import { type ServedModel, ServedModelsService } from '#src/serve/served-models.service.js';
import { keepTexts } from '#src/serve/keep-texts.js';
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
  readonly fingerprint: string;
  /** Who looks on. */
  readonly watch: ObservedGeneration;
}

@Injectable()
export class GenerationService {
  constructor(
    private readonly models: ServedModelsService,
    private readonly tokenizers: TokenizerService,
    private readonly watcher: GenerationWatcher,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** @param signal ends the work when the client leaves. @throws BraidError as the plan, the engine and the names of models do */
  async complete(request: CompletionRequestDto, signal: AbortSignal): Promise<Answer<CompletionBody>> {
    const ground = await this.prepare(request);
    const plan = ground.watch.guard(() => planCompletion(request, ground.codec, ground.engine, ground.served.prompt));
    const writer = createCompletionWriter(renderOptions(request, ground.codec, plan));
    return this.answer(request, ground, plan, writer, { prefix: 'cmpl', signal });
  }

  /** @param signal ends the work when the client leaves. @throws BraidError as the plan, the engine and the names of models do */
  async chat(request: ChatRequestDto, signal: AbortSignal): Promise<Answer<ChatBody>> {
    const ground = await this.prepare(request);
    const plan = ground.watch.guard(() => planChat(request, ground.codec, ground.engine, ground.served.prompt));
    const writer = createChatWriter(renderOptions(request, ground.codec, plan));
    return this.answer(request, ground, plan, writer, { prefix: 'chatcmpl', signal });
  }

  /** The engine and the codec of the model that a request means. @throws BraidError as the engine and the names of models do */
  async prepare(request: ModelFieldsDto): Promise<Ground> {
    const watch = this.watcher.announce(request.model);
    try {
      const served = await this.models.resolve(request);
      const [engine, codec] = await Promise.all([this.engines.get(served.baseModel.digest), this.tokenizers.get(served.baseModel)]);
      const fingerprint = fingerprintOf(served);
      watch.served = { model: served.baseModel.name, adapter: served.adapter, fingerprint };
      return { served, engine, codec, fingerprint, watch };
    } catch (error) {
      watch.fail(error);
      throw error;
    }
  }

  /** The plan's answers, piece by piece. @param signal ends the work when the client leaves */
  run(ground: Ground, plan: GenerationPlan, signal: AbortSignal): AsyncGenerator<IndexedPiece, void, undefined> {
    const { served, engine, codec, watch } = ground;
    watch.plan = {
      promptTokens: plan.prompts.map(({ ids }) => ids.length),
      answersPerPrompt: plan.n,
      temperature: plan.sampling.temperature,
      topP: plan.sampling.topP,
    };
    const { maxBatchRows, maxQueue, maxQueueTokens } = this.configuration;
    // A request must not be refused for the room that its own answers take.
    const longest = plan.prompts.reduce((most, { ids, maxTokens }) => Math.max(most, ids.length + maxTokens), 1);
    const rowsAtATime = Math.max(1, Math.min(maxBatchRows, maxQueue, Math.floor(maxQueueTokens / longest)));
    const pieces = runPlan(engine, codec, plan, { mixture: served.mixture, signal, watch, rowsAtATime });
    return this.watcher.follow(watch, this.watcher.keepsTexts ? keepTexts(pieces, plan, codec, watch) : pieces, signal);
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
      system_fingerprint: ground.fingerprint,
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
