// Does evaluations that jobs of other processes want, on a database that several processes share.
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { createRowId, type RowId } from '#src/ids/ids.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import type { Evaluate } from '../evaluate.js';
import { EvaluationStore } from './evaluation-store.js';
import { EvaluationTaskStore, type EvaluationTask, type TaskLosses } from './evaluation-task.store.js';
import { createRememberingEvaluation, type EvaluationMemory, type EvaluationScope } from './remember-evaluations.js';
import { createMixtureEvaluation } from '../score-mixtures.js';
import { createSharedEvaluation, doTask } from './share-evaluations.js';

const ANNOUNCEMENT_MS = 5_000;
/** How long a count of the other processes is good for. */
const COUNT_MS = 1_000;
// While a search is on, its next batch comes within moments; otherwise a look now and then is enough.
const BUSY_PAUSE_MS = 15;
const IDLE_PAUSE_MS = 150;
const BUSY_FOR_MS = 3_000;
/** How long a base model is left alone that this process failed on. */
const AVOIDANCE_MS = 30_000;

export interface JobEvaluation {
  readonly jobId: RowId;
  readonly scope: EvaluationScope;
  readonly signal: AbortSignal;
  /** Something new was measured and written down. */
  readonly onMeasured: () => Promise<void>;
}

@Injectable()
export class EvaluationWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('compose');
  private readonly owner = createRowId();
  private readonly stopping = new AbortController();
  private readonly avoided = new Map<RowId, number>();
  private working: Promise<unknown> = Promise.resolve();
  private others = { count: 0, asOfMs: -Infinity };

  constructor(
    private readonly tasks: EvaluationTaskStore,
    private readonly evaluations: EvaluationStore,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'databaseUrl'>,
  ) {}

  onApplicationBootstrap(): void {
    // The embedded database belongs to one process: there is nobody to work for.
    if (this.configuration.databaseUrl === undefined) return;
    this.working = Promise.all([this.announce(), this.work()]);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.working;
  }

  /** An evaluation of a job that runs here: what is known is looked up, and other processes take part in the rest. */
  createJobEvaluation(here: Evaluate, { jobId, scope, signal, onMeasured }: JobEvaluation): Evaluate {
    const memory: EvaluationMemory = {
      find: (keys) => this.evaluations.find(keys),
      add: async (baseModelId, losses) => {
        const areNew = await this.evaluations.add(baseModelId, losses);
        await onMeasured();
        return areNew;
      },
    };
    return createRememberingEvaluation(this.share(here, jobId, scope, signal), memory, scope);
  }

  private share(here: Evaluate, jobId: RowId, scope: EvaluationScope, signal: AbortSignal): Evaluate {
    if (this.configuration.databaseUrl === undefined) return here;
    return createSharedEvaluation(here, {
      tasks: this.tasks,
      jobId,
      owner: this.owner,
      scope,
      countOthers: () => this.countOthers(),
      signal,
    });
  }

  private async countOthers(): Promise<number> {
    if (performance.now() - this.others.asOfMs > COUNT_MS) {
      this.others = { count: await this.tasks.countOthers(this.owner), asOfMs: performance.now() };
    }
    return this.others.count;
  }

  private async announce(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.tasks
        .announce(this.owner)
        .catch((error: unknown) => this.logger.warn('cannot say that this process is here', { err: error }));
      await this.pause(ANNOUNCEMENT_MS);
    }
    await this.tasks.leave(this.owner).catch(() => undefined);
  }

  private async work(): Promise<void> {
    let busyUntilMs = -Infinity;
    while (!this.stopping.signal.aborted) {
      const didWork = await this.doOne();
      if (didWork) busyUntilMs = performance.now() + BUSY_FOR_MS;
      // Never at an even pace: in step with a job's batches, a look could miss every one of them.
      else await this.pause((performance.now() < busyUntilMs ? BUSY_PAUSE_MS : IDLE_PAUSE_MS) * (0.5 + Math.random()));
    }
  }

  private async doOne(): Promise<boolean> {
    let task: EvaluationTask | undefined;
    try {
      const now = performance.now();
      const withoutBases = [...this.avoided].flatMap(([base, untilMs]) => (untilMs > now ? [base] : []));
      task = await this.tasks.claim(this.owner, { withoutBases });
      if (task === undefined) return false;
      await doTask(task, { tasks: this.tasks, owner: this.owner, evaluate: (claimed, lost) => this.evaluate(claimed, lost) });
      return true;
    } catch (error) {
      if (!this.stopping.signal.aborted) this.logger.warn('cannot evaluate for another process', { job: task?.jobId, err: error });
      if (task !== undefined) this.avoided.set(task.base.id, performance.now() + AVOIDANCE_MS);
      return false;
    }
  }

  private async evaluate({ base, work }: EvaluationTask, lost: AbortSignal): Promise<TaskLosses> {
    const { candidates, examples, requests, space, precision } = work;
    const engine = await this.engines.get(base.digest);
    const signal = AbortSignal.any([lost, this.stopping.signal]);
    const evaluate = createMixtureEvaluation({ engine, candidates, examples, space, precision, signal });
    return createRememberingEvaluation(evaluate, this.evaluations, { base, candidates, examples, space, precision })(requests);
  }

  private async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}
