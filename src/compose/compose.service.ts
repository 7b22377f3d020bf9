// Checks a request for a composition, queues it as a job, and shows jobs and compositions.
import { Injectable, type MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { BraidError, errorsOf } from '#src/http/braid-error.js';
import { parseRepoName, parseRowId, parseVersion, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import type { CompositionVersion, Space } from '#src/registry/composition-version.entity.js';
import { findFactorMismatch } from '#src/registry/find-factor-mismatch.js';
import { promptOfVersion } from '#src/registry/prompt-of-model.js';
import { registryErrors } from '#src/registry/registry.errors.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { fail as failRuntime } from '#src/runtime/runtime.errors.js';
import { withAnswer } from '#src/tokenizer/choices.js';
import { parseExamples, type PlacedExample, type TokenizedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { streamWork } from '#src/work/follow-work.js';
import { type CandidateSource, chooseCandidates } from './choose-candidates.js';
import { digestOfExamples } from './kept-examples.js';
import type { ComposeJob } from './jobs/compose-job.entity.js';
import { ComposeJobStore } from './jobs/compose-job.store.js';
import { type ComposeRequest, DEFAULT_JOBS_IN_PAGE, DEFAULT_SEED, type ListJobsQuery } from './compose.dto.js';
import { failCompose } from './compose.errors.js';
import { type CompositionJobView, type CompositionView, type JobListView, PRIORITIES } from './compose.views.js';
import { LORAHUB_OBJECTIVE } from './objective.js';
import { applyObjective, type NamedObjective, parseObjective } from './objectives/objectives.js';
import { fewestEvaluations } from './pipeline.js';
import { assertShots, assertShotsFit } from './prompted-form.js';
import { assertHoldable } from './stages/hold-out.js';
import { chooseStrategy, DEFAULT_PRESET, defaultBudget, nameStrategy, type Strategy } from './strategy.js';
import { JobBroadcast } from './jobs/job-broadcast.js';
import { decodeJobCursor, encodeJobCursor } from './jobs/job-cursor.js';
import { followJob, parseEventId } from './jobs/job-events.js';
import { JobRunner } from './jobs/job-runner.service.js';
import { listedJobView } from './jobs/listed-job-view.js';
import type { Candidate, CompositionReport, Recipe } from './report.js';
import { RetrieveService } from './retrieve.service.js';
import { parseWarmStart } from './warm-start.js';

const failRegistry = errorsOf(registryErrors);

@Injectable()
export class ComposeService {
  constructor(
    private readonly registry: RegistryService,
    private readonly retrieval: RetrieveService,
    private readonly tokenizers: TokenizerService,
    private readonly store: ComposeJobStore,
    private readonly runner: JobRunner,
    private readonly broadcast: JobBroadcast,
  ) {}

  /**
   * Queues a job; everything that can be known to fail is refused here.
   * @throws BraidError of compose, registry, search, tokenizer and examples
   */
  async createJob(request: ComposeRequest): Promise<{ readonly id: RowId }> {
    const name = parseRepoName(request.name);
    const version = request.version === undefined ? undefined : parseVersion(request.version);
    const baseModel = await this.registry.getBaseModel(parseRepoName(request.base));
    await this.assertNameFree(name, version, baseModel.name);
    const examples = parseExamples(request.examples);
    const strategy = chooseStrategy(request.strategy ?? DEFAULT_PRESET, { examples: examples.length, shots: request.shots });
    if (strategy.validate === 'held-out') assertHoldable(examples.length, request.shots);
    // Tokens are made again when the job runs; here they show whether every example fits the context, and what the task looks like.
    const objective = parseObjective(request, examples);
    const tokens = await this.tokenize(objective, examples, baseModel);
    if (request.shots !== undefined) await this.assertShotsPossible(request.shots, objective, examples, baseModel);
    const { candidates, retrieval } = await chooseCandidates(request, baseModel, this.candidateSource(baseModel, tokens));
    const space = await this.chooseSpace(request.space, strategy, candidates);
    const budget = request.budget ?? defaultBudget(strategy);
    const { precision = 'float32' } = request;
    const fewest = fewestEvaluations(candidates.length, { isEstimated: precision !== 'float32' });
    if (budget < fewest) {
      const recheck = precision === 'float32' ? '' : `, and what the search in ${precision} finds is measured again in float32`;
      throw failCompose('BUDGET_TOO_SMALL', { budget, candidates: candidates.length, fewest, recheck });
    }
    const { regularisation = LORAHUB_OBJECTIVE.regularisation, bound = LORAHUB_OBJECTIVE.bound } = request;
    const warmStart = request.warmStart === undefined ? undefined : parseWarmStart(request.warmStart, candidates, bound);

    const id = await this.store.create({
      name,
      version,
      baseModelId: baseModel.id,
      priority: PRIORITIES[request.priority ?? 'normal'],
      request: {
        candidates,
        examples,
        examplesDigest: digestOfExamples(examples),
        budget,
        seed: request.seed ?? DEFAULT_SEED,
        strategy: nameStrategy(strategy),
        space,
        ...(precision !== 'float32' && { precision }),
        objective: objective.name,
        ...(objective.choices !== undefined && { choices: objective.choices }),
        regularisation,
        bound,
        ...(request.shots !== undefined && { shots: request.shots }),
        ...(warmStart !== undefined && { warmStart }),
        ...(retrieval !== undefined && { retrieval }),
      },
    });
    this.runner.look();
    return { id };
  }

  /** @throws BraidError INVALID_CURSOR */
  async listJobs({ status, limit = DEFAULT_JOBS_IN_PAGE, after }: ListJobsQuery): Promise<JobListView> {
    const place = after === undefined ? undefined : decodeJobCursor(after);
    // One more than asked for, to know whether there is a next page.
    const jobs = await this.store.list({ status, limit: limit + 1, after: place });
    const last = jobs.length > limit ? jobs[limit - 1] : undefined;
    return {
      items: jobs.slice(0, limit).map((job) => listedJobView(job, this.broadcast.progressOf(job.id))),
      next: last === undefined ? null : encodeJobCursor(last),
    };
  }

  /** @throws BraidError UNKNOWN_JOB */
  async getJob(idText: string): Promise<CompositionJobView> {
    return this.viewOf(await this.store.get(parseRowId(idText)));
  }

  /** Again is harmless. @throws BraidError UNKNOWN_JOB, JOB_ENDED when it succeeded or failed before */
  async cancelJob(idText: string): Promise<CompositionJobView> {
    const id = parseRowId(idText);
    const wasOpen = await this.store.cancel(id);
    const job = await this.store.get(id);
    if (!wasOpen && job.status !== 'cancelled') throw failCompose('JOB_ENDED', { id, status: job.status });
    this.runner.cancel(id);
    return this.viewOf(job);
  }

  /** The job's events from its state now, or from what followed `lastEventId`, to its end. @throws BraidError UNKNOWN_JOB before the stream begins */
  async followJob(idText: string, lastEventId?: string): Promise<Observable<MessageEvent>> {
    const id = parseRowId(idText);
    await this.store.get(id);
    const follow = (signal: AbortSignal) =>
      followJob(id, {
        broadcast: this.broadcast,
        getJob: (jobId) => this.store.get(jobId),
        listImprovements: (jobId, after) => this.store.listImprovements(jobId, after),
        getComposition: (job) => this.compositionOf(job),
        after: parseEventId(lastEventId),
        signal,
      });
    return streamWork(follow, this.broadcast.closing);
  }

  /** The version asked for, or the latest. @throws BraidError UNKNOWN_COMPOSITION, UNKNOWN_VERSION */
  async getComposition(name: string, version: string | undefined): Promise<CompositionView> {
    return compositionView(
      await this.registry.getCompositionVersion(parseRepoName(name), version === undefined ? undefined : parseVersion(version)),
    );
  }

  /** The examples with their own answers. @throws BraidError of examples where one of them, or one with another choice, does not fit */
  private async tokenize(
    objective: NamedObjective,
    examples: readonly PlacedExample[],
    baseModel: BaseModel,
  ): Promise<readonly TokenizedExample[]> {
    const codec = await this.tokenizers.get(baseModel);
    const tokenize = (asked: readonly PlacedExample[]): readonly TokenizedExample[] =>
      tokenizeExamples(asked, codec, baseModel.contextLength);
    return (await applyObjective(objective, examples, tokenize))?.examples ?? [];
  }

  /** @throws BraidError where the examples cannot stand in front of one another, and of examples */
  private async assertShotsPossible(
    shots: number,
    { choices = [] }: NamedObjective,
    examples: readonly PlacedExample[],
    baseModel: BaseModel,
  ): Promise<void> {
    assertShots(examples, shots);
    const codec = await this.tokenizers.get(baseModel);
    const form = { examples, shots, codec, contextLength: baseModel.contextLength };
    await assertShotsFit(form);
    // Every choice is scored in the place of the answer; the longest one needs the most room.
    const [longest] = [...choices].sort((a, b) => codec.encode(b).length - codec.encode(a).length);
    if (longest !== undefined) {
      await assertShotsFit(
        form,
        examples.map((example) => withAnswer(example, longest)),
      );
    }
  }

  /** Delta space, but what LoraHub does it does in factor space where the shapes allow that. @throws BraidError FACTORS_DIFFER where it was asked for */
  private async chooseSpace(asked: Space | undefined, strategy: Strategy, candidates: readonly Candidate[]): Promise<Space> {
    const isLoraHub = nameStrategy(strategy) === 'lorahub';
    if (asked === 'delta' || (asked === undefined && !isLoraHub)) return 'delta';
    const versions = await Promise.all(candidates.map(({ adapter, version }) => this.registry.getAdapterVersion(adapter, version)));
    const mismatch = findFactorMismatch(versions);
    if (mismatch === undefined) return 'factor';
    if (asked === 'factor') throw failRuntime('FACTORS_DIFFER', { ...mismatch });
    return 'delta';
  }

  private candidateSource(baseModel: BaseModel, examples: readonly TokenizedExample[]): CandidateSource {
    return {
      getAdapterVersion: (name, version) => this.registry.getAdapterVersion(name, version),
      listAdapters: async (base, limit) =>
        (await this.registry.listRepositories({ kind: 'adapter', baseModel: base, limit })).map(({ fullName }) => fullName),
      retrieve: (request) => this.retrieval.retrieve(baseModel, examples, request),
    };
  }

  /** Better said now than after the search. @throws BraidError NAME_RESERVED, NAME_TAKEN, BASE_MODEL_MISMATCH, VERSION_EXISTS */
  private async assertNameFree(name: RepoName, version: Version | undefined, base: RepoName): Promise<void> {
    if (name.startsWith('jobs/')) throw failCompose('NAME_RESERVED', { name });
    if ((await this.registry.findBaseModel(name)) !== undefined) throw failRegistry('NAME_TAKEN', { name, kind: 'a base model' });
    const repository = await this.registry.findRepository(name);
    if (repository === undefined) return;
    if (repository.kind !== 'composition') throw failRegistry('NAME_TAKEN', { name, kind: 'an adapter' });
    if (repository.baseModel.name !== base) {
      throw failRegistry('BASE_MODEL_MISMATCH', { name, expected: repository.baseModel.name, found: base });
    }
    if (version !== undefined && (await this.hasVersion(name, version))) {
      throw failRegistry('VERSION_EXISTS', { name, version, existing: version });
    }
  }

  private async hasVersion(name: RepoName, version: Version): Promise<boolean> {
    try {
      await this.registry.getCompositionVersion(name, version);
      return true;
    } catch (error) {
      if (error instanceof BraidError && error.code === 'UNKNOWN_VERSION') return false;
      throw error;
    }
  }

  private async viewOf(job: ComposeJob): Promise<CompositionJobView> {
    const { id, status, request } = job;
    return {
      ...listedJobView(job, this.broadcast.progressOf(id)),
      candidates: request.candidates.map((candidate) => `${candidate.adapter}@${candidate.version}`),
      examples: request.examples.length,
      budget: request.budget,
      seed: request.seed,
      strategy: request.strategy,
      space: request.space ?? 'delta',
      precision: request.precision ?? 'float32',
      objective: request.objective ?? 'likelihood',
      shots: request.shots ?? null,
      composition: status === 'succeeded' ? await this.compositionOf(job) : null,
    };
  }

  private async compositionOf(job: ComposeJob): Promise<CompositionView> {
    return compositionView(await this.registry.getCompositionVersion(job.name, job.compositionVersion ?? undefined));
  }
}

function compositionView(found: CompositionVersion): CompositionView {
  const { repository, version, space, parts, recipe, report, createdAt } = found;
  return {
    name: repository.fullName,
    version,
    baseModel: repository.baseModel.name,
    space,
    parts,
    prompt: promptOfVersion(found),
    // Written by the job runner, whose types these are.
    recipe: recipe as unknown as Recipe,
    report: report as unknown as CompositionReport,
    createdAt: createdAt.toISOString(),
  };
}
