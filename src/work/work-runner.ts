// Runs queued work of one kind, one per base model at a time, in this process; other processes on the same database do the same.
import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, type RowId } from '#src/ids/ids.js';
import type { WorkBroadcast } from './work-broadcast.js';
import { failureOf } from './work-status.js';
import { RENEWAL_MS, type WorkEnding, type WorkStore } from './work-store.js';
import type { Work } from './work.entity.js';

/** What a runner runs. */
export interface WorkKind<Row extends Work, Result> {
  /** Names a row in the log, as in `evaluation failed`. */
  readonly noun: string;
  /** Of the log: the feature's. */
  readonly context: string;
  /** Instead of a failure that nobody knows. */
  readonly failed: () => BraidError;
  /** @throws the reason of `held.signal` when it is aborted; a WorkAborted when it finds that the lease is lost */
  readonly run: (row: Row, held: HeldWork) => Promise<Result>;
}

/** Work while this process runs it. */
export interface HeldWork {
  /** Names this process in leases. */
  readonly owner: RowId;
  readonly signal: AbortSignal;
  /** Sets what is to be written before the row says how it ended; not when the work goes back to the queue. */
  readonly beforeEnd: (write: () => Promise<void>) => void;
}

export class WorkAborted extends Error {
  override readonly name = 'WorkAborted';
  constructor(readonly because: 'cancelled' | 'shutdown' | 'lease-lost') {
    super(`the work was stopped: ${because}`);
  }
}

/** How soon work that another process queued or gave up is seen. */
const POLL_MS = 2_000;

interface RunningWork {
  readonly controller: AbortController;
  readonly finished: Promise<void>;
}

export class WorkRunner<Row extends Work, Result> implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger: Logger;
  private readonly owner = createRowId();
  private readonly running = new Map<RowId, RunningWork>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isStopping = false;

  constructor(
    private readonly store: WorkStore<Row, Result>,
    private readonly broadcast: WorkBroadcast,
    private readonly kind: WorkKind<Row, Result>,
  ) {
    this.logger = new Logger(kind.context);
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.look(), POLL_MS);
    this.timer.unref();
    this.look();
  }

  /** Running work goes back to the queue: it goes on at the next start. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    await this.looking;
    for (const { controller } of this.running.values()) controller.abort(new WorkAborted('shutdown'));
    await Promise.all([...this.running.values()].map(({ finished }) => finished));
  }

  /** Looks for work now. */
  look(): void {
    // One look at a time; a failed one (database away) is tried again by the timer.
    this.looking = this.looking
      .then(() => this.startWork())
      .catch((error: unknown) => this.logger.error(`cannot look for ${this.kind.noun}s`, { err: error }));
  }

  /** Stops work that runs in this process; others see the mark in their row. */
  cancel(id: RowId): void {
    this.running.get(id)?.controller.abort(new WorkAborted('cancelled'));
    this.broadcast.wake(id);
  }

  private async startWork(): Promise<void> {
    if (this.isStopping) return;
    await this.store.recoverAbandoned();
    for (;;) {
      const row = this.isStopping ? undefined : await this.store.claim(this.owner);
      if (row === undefined) return;
      const { id } = row;
      const controller = new AbortController();
      const finished = this.run(row, controller)
        .catch((error: unknown) => this.logger.error(`cannot write down how a ${this.kind.noun} ended`, this.entryOf(id, error)))
        .finally(() => {
          this.running.delete(id);
          this.broadcast.end(id);
          // The base model is free for the next one.
          this.look();
        });
      this.running.set(id, { controller, finished });
    }
  }

  private async run(row: Row, controller: AbortController): Promise<void> {
    const { id } = row;
    let writeRest = (): Promise<void> => Promise.resolve();
    const renewal = setInterval(() => void this.renew(id, controller), RENEWAL_MS);
    let ending: WorkEnding<Result> | 'released' | 'retried';
    try {
      const held: HeldWork = { owner: this.owner, signal: controller.signal, beforeEnd: (write) => (writeRest = write) };
      ending = { status: 'succeeded', result: await this.kind.run(row, held) };
    } catch (error) {
      ending = await this.endingOf(controller.signal.aborted ? controller.signal.reason : error, row);
    } finally {
      clearInterval(renewal);
    }
    if (ending === 'retried') return;
    if (ending === 'released') return this.store.release(id, this.owner);
    await writeRest();
    await this.store.finish(id, this.owner, ending);
  }

  private async endingOf(error: unknown, { id, attempts }: Row): Promise<WorkEnding<Result> | 'released' | 'retried'> {
    if (error instanceof WorkAborted) return error.because === 'cancelled' ? { status: 'cancelled' } : 'released';
    const isKnown = error instanceof BraidError;
    // What was measured is remembered, so another try begins where this one ended.
    if (isKnown && error.retryable && (await this.store.retry(id, this.owner))) {
      this.logger.warn(`${this.kind.noun} tried again`, { ...this.entryOf(id, error), attempts });
      return 'retried';
    }
    if (!isKnown || error.status >= 500)
      this.logger.error(`${this.kind.noun} failed`, this.entryOf(id, isKnown ? (error.cause ?? error) : error));
    return { status: 'failed', error: failureOf(isKnown ? error : this.kind.failed()) };
  }

  private async renew(id: RowId, controller: AbortController): Promise<void> {
    try {
      const { held, cancelRequested } = await this.store.renew(id, this.owner);
      if (cancelRequested) controller.abort(new WorkAborted('cancelled'));
      else if (!held) controller.abort(new WorkAborted('lease-lost'));
    } catch (error) {
      // The lease outlives a few missed renewals; the work goes on meanwhile.
      this.logger.warn('lease not renewed', this.entryOf(id, error));
    }
  }

  private entryOf(id: RowId, error: unknown): object {
    return { [this.kind.noun]: id, err: error };
  }
}
