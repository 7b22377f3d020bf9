// The work of one job: model, tokens and candidates in, a composition version out.
import { Inject, Injectable } from '@nestjs/common';
import type { Version } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { isTextExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { promptWithOthers } from '#src/tokenizer/prompt-with-others.js';
import { SEPARATOR } from '#src/tokenizer/shots.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { answerExamples } from '../answer-examples.js';
import type { ComposeJob } from './compose-job.entity.js';
import type { JobProgress } from '../compose.views.js';
import { LORAHUB_OBJECTIVE } from '../objective.js';
import type { ExampleMeasure, Tokenize } from '../objectives/example-measure.js';
import { applyObjective, type NamedObjective } from '../objectives/objectives.js';
import { EvaluationWorker } from '../evaluations/evaluation-worker.service.js';
import { settingsOf } from './job-settings.js';
import { keepExamples } from '../kept-examples.js';
import { createPrompt, tokenizeBehindShots } from '../prompted-form.js';
import { createJudge } from '../rewards/judge-answers.js';
import { createJudgedEvaluation } from '../rewards/judged-evaluation.js';
import { RewardHooks } from '../rewards/reward-hooks.service.js';
import { showRewardUrl } from '../rewards/reward-url.js';
import { runSearch } from '../run-search.js';
import { parseStrategy } from '../strategy.js';

export interface JobSearchOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (found: Omit<JobProgress, 'elapsedMs'>) => void;
  /** Something new was measured and written down. */
  readonly onMeasured: () => Promise<void>;
}

@Injectable()
export class JobSearch {
  constructor(
    private readonly registry: RegistryService,
    private readonly tokenizers: TokenizerService,
    private readonly worker: EvaluationWorker,
    private readonly rewards: RewardHooks,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /**
   * Searches and publishes what it found; its examples are kept with it.
   * @returns the version
   * @throws BraidError as `runSearch`, of runtime, registry, storage and tokenizer; the signal's reason when it is aborted
   */
  async search(job: ComposeJob, { signal, onProgress, onMeasured }: JobSearchOptions): Promise<Version> {
    const { baseModel, request } = job;
    const { space = 'delta', regularisation = LORAHUB_OBJECTIVE.regularisation, bound = LORAHUB_OBJECTIVE.bound } = request;
    const [engine, codec] = await Promise.all([this.engines.get(baseModel.digest), this.tokenizers.get(baseModel)]);
    signal.throwIfAborted();
    const objective: NamedObjective = {
      name: request.objective ?? 'likelihood',
      ...(request.choices !== undefined && { choices: request.choices }),
      // The recipe is shown to everyone; its settings keep the whole URL.
      ...(request.reward !== undefined && { reward: showRewardUrl(request.reward) }),
    };
    const hook = request.reward === undefined ? undefined : this.rewards.open(request.reward);
    const measure = (tokenize: Tokenize): Promise<ExampleMeasure | undefined> => applyObjective(objective, request.examples, tokenize);
    const { contextLength } = engine;
    const plain = await measure((asked) => tokenizeExamples(asked, codec, contextLength));
    const form = request.shots === undefined ? undefined : { examples: request.examples, shots: request.shots, codec, contextLength };
    const prompt = form === undefined ? null : createPrompt(form);
    const examples = form === undefined ? plain : await measure((asked) => tokenizeBehindShots(form, asked));
    if (plain === undefined || examples === undefined) throw new Error('examples have no tokens');
    // Behind shots the base itself is prompted.
    const prompted =
      form === undefined ? await measure((asked) => promptWithOthers(request.examples, codec, contextLength, asked)) : undefined;
    signal.throwIfAborted();
    const judge = hook && createJudge(hook, request.examples, signal);
    const separator = request.examples.every(({ example }) => isTextExample(example)) ? SEPARATOR : undefined;
    const { parts, recipe, report } = await runSearch({
      engine,
      base: { name: baseModel.name, digest: baseModel.digest },
      candidates: request.candidates,
      examples,
      objective: { ...objective, regularisation, bound },
      remember: (evaluate, of) => {
        const scope = { base: baseModel, ...of, space };
        return this.worker.createJobEvaluation(evaluate, { jobId: job.id, scope, signal, onMeasured });
      },
      ...(judge !== undefined && {
        judge: (evaluateRows, { isPrompted, ...of }) => {
          const ends = { separator: isPrompted ? separator : undefined };
          return createJudgedEvaluation(evaluateRows, { judge, engine, codec, ...of, ...ends, space, signal });
        },
      }),
      examplesDigest: request.examplesDigest,
      ...(request.retrieval !== undefined && { retrieval: request.retrieval }),
      strategy: parseStrategy(request.strategy),
      ...(request.warmStart !== undefined && { warmStart: request.warmStart }),
      prompted,
      ...(prompt !== null && { shots: { count: prompt.examples.length, tokens: prompt.tokens, unprompted: plain } }),
      space,
      ...(request.precision !== undefined && { precision: request.precision }),
      seed: request.seed,
      budget: request.budget,
      signal,
      onProgress: ({ stage, evaluations, budget, best }) =>
        onProgress({ stage, evaluations, budget, bestObjective: best?.objective ?? null, bestLoss: best?.loss ?? null }),
    });
    const mixture = createMixture({ space, parts });
    const ends = { separator: prompt === null ? undefined : separator };
    const answers = await answerExamples({ engine, codec, examples: examples.examples, mixture, ...ends, signal });
    await keepExamples(this.objects, request.examples);
    const { version } = await this.registry.addCompositionVersion({
      name: job.name,
      baseModel,
      version: job.version ?? undefined,
      space,
      parts: [...parts],
      recipe: { ...recipe, settings: settingsOf(request) },
      report: { ...report, answers },
      prompt,
      description: report.verdict,
      tags: [],
    });
    return version.version;
  }
}
