// Checks a request for a composition and queues it as a job.
import { Injectable } from '@nestjs/common';
import { BraidError, errorsOf } from '#src/http/braid-error.js';
import { parseRepoName, parseVersion, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import { findFactorMismatch } from '#src/registry/find-factor-mismatch.js';
import { registryErrors } from '#src/registry/registry.errors.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { fail as failRuntime } from '#src/runtime/runtime.errors.js';
import { withAnswer } from '#src/tokenizer/choices.js';
import { parseExamples, type PlacedExample, type TokenizedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { type CandidateSource, chooseCandidates } from './choose-candidates.js';
import { digestOfExamples } from './kept-examples.js';
import { ComposeJobStore } from './jobs/compose-job.store.js';
import { type ComposeRequest, DEFAULT_SEED } from './compose.dto.js';
import { failCompose } from './compose.errors.js';
import { PRIORITIES } from './compose.views.js';
import { LORAHUB_OBJECTIVE } from './objective.js';
import { applyObjective, type NamedObjective, parseObjective } from './objectives/objectives.js';
import { fewestEvaluations } from './pipeline.js';
import { assertShots, assertShotsFit } from './prompted-form.js';
import { assertHoldable } from './stages/hold-out.js';
import { chooseStrategy, DEFAULT_PRESET, defaultBudget, nameStrategy, type Strategy } from './strategy.js';
import { JobRunner } from './jobs/job-runner.service.js';
import type { Candidate } from './report.js';
import { RetrieveService } from './retrieve.service.js';
import { RewardHooks } from './rewards/reward-hooks.service.js';
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
    private readonly rewards: RewardHooks,
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
    if (objective.reward !== undefined) this.rewards.assertAllowed(objective.reward);
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
        ...(objective.reward !== undefined && { reward: objective.reward }),
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
}
