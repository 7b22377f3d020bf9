// Checks a request to evaluate a model, queues it, and shows evaluations, those of a model, and the difference of two.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable, type MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { digestOf, parseRowId, parseVersionedName } from '#src/ids/ids.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import { mixtureOfModel } from '#src/registry/mixture-of-model.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { RegistryService, type ResolvedModel } from '#src/registry/registry.service.js';
import { promptOfModel } from '#src/registry/prompt-of-model.js';
import { checkChoices, withAnswer } from '#src/tokenizer/choices.js';
import { parseExamples, type PlacedExample } from '#src/tokenizer/examples.js';
import { asShots } from '#src/tokenizer/shots.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { streamWork } from '#src/work/follow-work.js';
import { WorkBroadcast } from '#src/work/work-broadcast.js';
import { DEFAULT_MAX_TOKENS, type EvaluateRequest, MOST_EVALUATED } from './evaluate.dto.js';
import { failEvaluate } from './evaluate.errors.js';
import type { EvaluationDifferenceView, EvaluationListView, EvaluationView } from './evaluate.views.js';
import { followEvaluation } from './evaluation-events.js';
import { EvaluationRunner } from './evaluation-runner.service.js';
import { EvaluationStore } from './evaluation.store.js';
import { type MeasureSettings, tokenizeAsked } from './measure-examples.js';
import type { ModelEvaluation } from './model-evaluation.entity.js';
import { compareOutcomes } from './summarize-outcomes.js';

// Tokenizing is this thread's work, and others want answers meanwhile.
const TOKENIZED_AT_A_TIME = 64;
// How soon a stream sees what another process wrote to the row.
const POLL_MS = 300;

@Injectable()
export class EvaluateService {
  constructor(
    private readonly registry: RegistryService,
    private readonly tokenizers: TokenizerService,
    private readonly store: EvaluationStore,
    private readonly runner: EvaluationRunner,
    private readonly broadcast: WorkBroadcast,
  ) {}

  /**
   * Queues an evaluation; everything that can be known to fail is refused here. The same request for the same version is the same
   * evaluation: a finished one is answered as it is, one that failed or was cancelled goes on.
   * @throws BraidError of evaluate, registry, tokenizer and examples
   */
  async create(request: EvaluateRequest): Promise<EvaluationView> {
    const model = await this.registry.resolve(parseVersionedName(request.model));
    const examples = parseExamples(request.examples, MOST_EVALUATED);
    const choices = request.choices === undefined ? null : checkChoices(request.choices, examples);
    const shots = asShots(promptOfModel(model)?.examples ?? []);
    const front = shots === undefined ? {} : { shots };
    const longest = await this.countAnswerTokens(examples, { choices, ...front }, model.baseModel);
    const settings: MeasureSettings = {
      mixture: createMixture(mixtureOfModel(model)),
      maxTokens: request.maxTokens ?? Math.max(DEFAULT_MAX_TOKENS, longest),
      choices,
      lengthNormalized: choices !== null && (request.lengthNormalized ?? false),
      ...front,
    };
    const examplesDigest = digestOf(JSON.stringify(examples.map(({ example }) => example)));
    const id = await this.store.create({
      baseModelId: model.baseModel.id,
      adapterVersionId: model.kind === 'adapter' ? model.version.id : null,
      compositionVersionId: model.kind === 'composition' ? model.version.id : null,
      model: nameOf(model),
      name: request.name,
      requestDigest: digestOf(JSON.stringify([request.name, examplesDigest, settings])),
      examplesDigest,
      settings,
      examples,
    });
    this.runner.look();
    return this.get(id);
  }

  /** @throws BraidError UNKNOWN_EVALUATION */
  async get(id: string): Promise<EvaluationView> {
    return viewOf(await this.store.get(parseRowId(id)));
  }

  /** What is known of a model's version, or of its latest. @throws BraidError UNKNOWN_MODEL, UNKNOWN_VERSION, VERSION_OF_BASE_MODEL */
  async list(name: string): Promise<EvaluationListView> {
    const model = await this.registry.resolve(parseVersionedName(name));
    const found = await this.store.listSucceeded(model.kind === 'base' ? model.baseModel.id : model.version.id);
    return { items: found.map(viewOf) };
  }

  /** Again is harmless. @throws BraidError UNKNOWN_EVALUATION, EVALUATION_ENDED when it succeeded or failed before */
  async cancel(idText: string): Promise<EvaluationView> {
    const id = parseRowId(idText);
    const wasOpen = await this.store.cancel(id);
    const evaluation = await this.store.get(id);
    if (!wasOpen && evaluation.status !== 'cancelled') throw failEvaluate('EVALUATION_ENDED', { id, status: evaluation.status });
    this.runner.cancel(id);
    return viewOf(evaluation);
  }

  /** The events from the state now to the end. @throws BraidError UNKNOWN_EVALUATION before the stream begins */
  async follow(idText: string): Promise<Observable<MessageEvent>> {
    const id = parseRowId(idText);
    await this.store.getProgress(id);
    const follow = (signal: AbortSignal) =>
      followEvaluation({
        getProgress: () => this.store.getProgress(id),
        getView: () => this.get(id),
        nextChange: () => this.broadcast.nextChange(id, POLL_MS, signal),
        signal,
      });
    return streamWork(follow, this.broadcast.closing);
  }

  /**
   * `second` minus `first`, paired by example.
   * @throws BraidError UNKNOWN_EVALUATION, EVALUATION_UNFINISHED, EVALUATIONS_DIFFER
   */
  async compare(firstId: string, secondId: string): Promise<EvaluationDifferenceView> {
    const [first, second] = [await this.store.get(parseRowId(firstId)), await this.store.get(parseRowId(secondId))];
    for (const { id, status } of [first, second]) {
      if (status !== 'succeeded') throw failEvaluate('EVALUATION_UNFINISHED', { id, status });
    }
    if (first.examplesDigest !== second.examplesDigest)
      throw failEvaluate('EVALUATIONS_DIFFER', { first: first.model, second: second.model });
    const difference = compareOutcomes(
      [...(await this.store.listOutcomes(first.id)).values()],
      [...(await this.store.listOutcomes(second.id)).values()],
    );
    return { first: first.model, second: second.model, difference };
  }

  /** Tokens of the longest answer; shows on the way whether every example, with every choice, fits the context. @throws BraidError of examples */
  private async countAnswerTokens(
    examples: readonly PlacedExample[],
    asked: Pick<MeasureSettings, 'shots' | 'choices'>,
    baseModel: BaseModel,
  ): Promise<number> {
    const codec = await this.tokenizers.get(baseModel);
    let longest = 0;
    for (let from = 0; from < examples.length; from += TOKENIZED_AT_A_TIME) {
      const part = examples.slice(from, from + TOKENIZED_AT_A_TIME);
      for (const { ids, from: start } of tokenizeAsked(part, asked, codec, baseModel.contextLength))
        longest = Math.max(longest, ids.length - start);
      for (const choice of asked.choices ?? []) {
        tokenizeAsked(
          part.map((example) => withAnswer(example, choice)),
          asked,
          codec,
          baseModel.contextLength,
        );
        await nextTurn();
      }
      await nextTurn();
    }
    return longest;
  }
}

function nameOf(model: ResolvedModel): string {
  return model.kind === 'base' ? model.baseModel.name : `${model.version.repository.fullName}@${model.version.version}`;
}

function viewOf(evaluation: ModelEvaluation): EvaluationView {
  const { id, model, baseModel, name, status, isCancelling, total, evaluated, examplesDigest, settings, result, error } = evaluation;
  return {
    id,
    model,
    base: baseModel.name,
    name,
    status,
    isCancelling,
    examples: total,
    evaluated,
    examplesDigest,
    maxTokens: settings.maxTokens,
    choices: settings.choices,
    lengthNormalized: settings.lengthNormalized,
    result,
    error,
    createdAt: evaluation.createdAt.toISOString(),
    startedAt: evaluation.startedAt?.toISOString() ?? null,
    finishedAt: evaluation.finishedAt?.toISOString() ?? null,
  };
}
