// Runs queued evaluations, one per base model at a time, in this process; other processes on the same database do the same.
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, type RowId } from '#src/ids/ids.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { failEvaluate } from './evaluate.errors.js';
import { type EvaluationEnding, EvaluationStore, RENEWAL_MS } from './evaluation.store.js';
import { type ExampleOutcome, measureExamples } from './measure-examples.js';
import type { ModelEvaluation } from './model-evaluation.entity.js';
import { summarizeOutcomes } from './summarize-outcomes.js';

type ClaimedEvaluation = ModelEvaluation & { readonly examples: readonly PlacedExample[] };

/** How soon an evaluation that another process queued or gave up is seen. */
const POLL_MS = 2_000;
/** Examples measured between two writes: what a kill loses. */
const EXAMPLES_AT_A_TIME = 32;

type AbortCause = 'cancelled' | 'shutdown' | 'lease-lost';

class EvaluationAborted extends Error {
  override readonly name = 'EvaluationAborted';
  constructor(readonly because: AbortCause) {
    super(`the evaluation was stopped: ${because}`);
  }
}

interface RunningEvaluation {
  readonly controller: AbortController;
  readonly finished: Promise<void>;
}

@Injectable()
export class EvaluationRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('evaluate');
  /** Names this process in leases. */
  private readonly owner = createRowId();
  private readonly running = new Map<RowId, RunningEvaluation>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isStopping = false;

  constructor(
    private readonly store: EvaluationStore,
    private readonly tokenizers: TokenizerService,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'maxBatchRows' | 'maxQueue'>,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.look(), POLL_MS);
    this.timer.unref();
    this.look();
  }

  /** Running evaluations go back to the queue: they go on at the next start. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    await this.looking;
    for (const { controller } of this.running.values()) controller.abort(new EvaluationAborted('shutdown'));
    await Promise.all([...this.running.values()].map(({ finished }) => finished));
  }

  /** Looks for work now. */
  look(): void {
    // One look at a time; a failed one (database away) is tried again by the timer.
    this.looking = this.looking
      .then(() => this.startEvaluations())
      .catch((error: unknown) => this.logger.error('cannot look for evaluations', { err: error }));
  }

  /** Stops an evaluation that runs in this process; others see the mark in their row. */
  cancel(id: RowId): void {
    this.running.get(id)?.controller.abort(new EvaluationAborted('cancelled'));
  }

  private async startEvaluations(): Promise<void> {
    if (this.isStopping) return;
    await this.store.recoverAbandoned();
    for (;;) {
      const evaluation = this.isStopping ? undefined : await this.store.claim(this.owner);
      if (evaluation === undefined) return;
      const controller = new AbortController();
      const finished = this.run(evaluation, controller)
        .catch((error: unknown) =>
          this.logger.error('cannot write down how an evaluation ended', { evaluation: evaluation.id, err: error }),
        )
        .finally(() => {
          this.running.delete(evaluation.id);
          // The base model is free for the next one.
          this.look();
        });
      this.running.set(evaluation.id, { controller, finished });
    }
  }

  private async run(evaluation: ClaimedEvaluation, controller: AbortController): Promise<void> {
    const { id } = evaluation;
    const lease = setInterval(() => void this.renew(id, controller), RENEWAL_MS);
    let ending: EvaluationEnding | 'released';
    try {
      ending = { status: 'succeeded', result: summarizeOutcomes(await this.measure(evaluation, controller)) };
    } catch (error) {
      ending = this.endingOf(error, id, controller.signal);
    } finally {
      clearInterval(lease);
    }
    if (ending === 'released') await this.store.release(id, this.owner);
    else await this.store.finish(id, this.owner, ending);
  }

  /** Measures what has no outcome yet; outcomes of all examples, in their order. */
  private async measure(evaluation: ClaimedEvaluation, controller: AbortController): Promise<ExampleOutcome[]> {
    const { id, baseModel, settings, examples } = evaluation;
    const { signal } = controller;
    const [engine, codec] = await Promise.all([this.engines.get(baseModel.digest), this.tokenizers.get(baseModel)]);
    const rowsAtATime = Math.min(this.configuration.maxBatchRows, this.configuration.maxQueue);
    const outcomes = new Map(await this.store.listOutcomes(id));
    const left = [...examples.entries()].filter(([place]) => !outcomes.has(place));
    for (let from = 0; from < left.length; from += EXAMPLES_AT_A_TIME) {
      signal.throwIfAborted();
      const part = left.slice(from, from + EXAMPLES_AT_A_TIME);
      const measured = await measureExamples(
        part.map(([, example]) => example),
        settings,
        { engine, codec, rowsAtATime, signal },
      );
      const found = new Map(measured.map((outcome, i) => [part[i]?.[0] ?? -1, outcome]));
      if (!(await this.store.saveOutcomes(id, this.owner, found))) throw this.abort(controller, 'lease-lost');
      for (const [place, outcome] of found) outcomes.set(place, outcome);
    }
    return examples.flatMap((_, place) => outcomes.get(place) ?? []);
  }

  private abort(controller: AbortController, because: AbortCause): EvaluationAborted {
    const aborted = new EvaluationAborted(because);
    controller.abort(aborted);
    return aborted;
  }

  private endingOf(error: unknown, id: RowId, signal: AbortSignal): EvaluationEnding | 'released' {
    const reason: unknown = signal.reason;
    if (reason instanceof EvaluationAborted) return reason.because === 'cancelled' ? { status: 'cancelled' } : 'released';
    const isKnown = error instanceof BraidError;
    if (!isKnown || error.status >= 500)
      this.logger.error('an evaluation failed', { evaluation: id, err: isKnown ? (error.cause ?? error) : error });
    const { code, message, retryable } = isKnown ? error : failEvaluate('EVALUATION_FAILED');
    return { status: 'failed', error: { code, message, retryable } };
  }

  private async renew(id: RowId, controller: AbortController): Promise<void> {
    try {
      const { held, cancelRequested } = await this.store.renew(id, this.owner);
      if (cancelRequested) controller.abort(new EvaluationAborted('cancelled'));
      else if (!held) controller.abort(new EvaluationAborted('lease-lost'));
    } catch (error) {
      // The lease outlives a few missed renewals; the evaluation goes on meanwhile.
      this.logger.warn('lease not renewed', { evaluation: id, err: error });
    }
  }
}
