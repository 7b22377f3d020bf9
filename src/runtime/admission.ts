// Requests from the door to their answer: the queue's limit, abort signals, the adapters they hold, and one answer for each whatever happens.
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BraidError } from '#src/http/braid-error.js';
import type { Digest } from '#src/ids/ids.js';
import type { AdapterResidency, Hold } from './adapter-residency.js';
import type { Mixture } from './engine.js';
import type { GenerationTask } from './generation-lane.js';
import type { PlacedAdapter } from './plan-slots.js';
import { fail } from './runtime.errors.js';
import type { Scheduler } from './scheduler.js';
import { ServiceRate } from './service-rate.js';
import type { ScoreTask } from './score-queue.js';
import type { AdapterPlace } from './worker/protocol.js';

/** Of an adapter that takes no memory. */
const NOWHERE: AdapterPlace = { pages: new Map(), gains: new Map() };

/** A request that was taken in and not answered yet. */
export interface Ticket {
  /** Answers the request with an error, lets its adapters go and takes it off the scheduler; does nothing once it is answered. */
  fail(error: unknown): void;
  /** Lets go after the last answer. */
  close(): void;
}

export interface AdmissionRequest {
  /** Tokens to read and to generate; 0 where nobody waits for it as for an answer: the hub's own work is bounded by the jobs that run. */
  readonly tokens: number;
  readonly signal: AbortSignal | undefined;
  readonly rows: readonly { readonly mixture: Mixture }[];
  /** Called at most once. */
  readonly reject: (error: unknown) => void;
  /** Once the adapters are in the worker's memory; `place` finds those of a mixture. */
  readonly createTask: (place: (mixture: Mixture) => PlacedAdapter[], ticket: Ticket) => GenerationTask | ScoreTask;
}

export interface AdmissionOptions {
  /** Requests that may wait. */
  readonly maxQueue: number;
  /** Tokens that may wait; a single request may exceed it. */
  readonly maxQueueTokens: number;
  /** Resolves when the worker is there. */
  readonly start: () => Promise<void>;
  readonly residency: AdapterResidency;
  readonly scheduler: Scheduler;
}

export class Admission {
  private readonly tickets = new Set<Ticket>();
  private readonly rate = new ServiceRate();
  private preparing = 0;
  private preparingTokens = 0;
  private isClosing = false;
  private whenEmpty: (() => void) | undefined;

  constructor(private readonly options: AdmissionOptions) {}

  /** Requests that were taken in and not answered yet. */
  get openCount(): number {
    return this.tickets.size;
  }

  /** Of them, those that have not run yet. */
  get waitingCount(): number {
    return this.preparing + this.options.scheduler.waitingCount;
  }

  /**
   * Takes a request in: queue limit, abort signal, worker, adapters, scheduler.
   * @throws BraidError ENGINE_CLOSED, QUEUE_FULL, REQUEST_CANCELLED
   */
  take({ tokens, signal, rows, reject, createTask }: AdmissionRequest): Ticket {
    const { start, residency, scheduler } = this.options;
    if (this.isClosing) throw fail('ENGINE_CLOSED');
    if (signal?.aborted) throw cancellationOf(signal);
    this.assertRoom(tokens);

    let hold: Hold | undefined;
    let task: GenerationTask | ScoreTask | undefined;
    const abort = (): void => ticket.fail(cancellationOf(signal));
    const leave = (): boolean => {
      if (!this.tickets.delete(ticket)) return false;
      signal?.removeEventListener('abort', abort);
      hold?.release();
      if (this.tickets.size === 0) this.whenEmpty?.();
      return true;
    };
    const ticket: Ticket = {
      close: () => {
        if (leave()) this.rate.add(tokens);
      },
      fail: (error) => {
        if (!this.tickets.has(ticket)) return;
        if (task !== undefined) scheduler.cancel(task);
        leave();
        reject(error);
      },
    };
    this.tickets.add(ticket);
    if (signal !== undefined) {
      // One signal may stand for many rows, say the choices of one answer; that is no leak.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', abort, { once: true });
    }

    const terms = rows.flatMap(({ mixture }) => mixture);
    const digests = new Set<Digest>(terms.map(({ digest }) => digest));
    const factors = new Map(terms.flatMap(({ digest, factors: own }) => (own === undefined ? [] : [[digest, own] as const])));
    const prepare = async (): Promise<void> => {
      this.preparing++;
      this.preparingTokens += tokens;
      try {
        await start();
        hold = await residency.acquire([...digests], signal, factors);
      } finally {
        this.preparing--;
        this.preparingTokens -= tokens;
      }
      if (!this.tickets.has(ticket)) {
        hold.release();
        return;
      }
      const { places } = hold;
      task = createTask((mixture) => mixture.map(({ digest, weight }) => ({ ...(places.get(digest) ?? NOWHERE), weight })), ticket);
      if ('batches' in task) scheduler.score(task);
      else scheduler.generate(task);
    };
    prepare().catch((error: unknown) => ticket.fail(error));
    return ticket;
  }

  /** Refuses new requests and lets the others finish for so long; what is left is answered with ENGINE_CLOSED. */
  async close(drainMs: number): Promise<void> {
    this.isClosing = true;
    if (this.tickets.size > 0 && drainMs > 0) {
      const timer = new AbortController();
      await Promise.race([
        new Promise<void>((resolve) => (this.whenEmpty = resolve)),
        sleep(drainMs, undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
    }
    this.failAll(fail('ENGINE_CLOSED'));
  }

  private assertRoom(tokens: number): void {
    const { maxQueue, maxQueueTokens, scheduler } = this.options;
    const waiting = this.waitingCount;
    const waitingTokens = this.preparingTokens + scheduler.waitingTokens;
    const excessTokens = tokens > 0 && waitingTokens > 0 ? waitingTokens + tokens - maxQueueTokens : 0;
    if (waiting < maxQueue && excessTokens <= 0) return;
    const retryAfterSeconds = this.rate.secondsUntil(1 + waiting - Math.min(waiting, maxQueue), Math.max(0, excessTokens));
    throw fail('QUEUE_FULL', { waiting, maxQueue, waitingTokens, maxQueueTokens, tokens, retryAfterSeconds });
  }

  /** Answers every request that is open with an error. */
  failAll(error: Error): void {
    for (const ticket of [...this.tickets]) ticket.fail(error);
  }
}

/** What a signal's owner wants to have said, or that the client left. */
function cancellationOf(signal: AbortSignal | undefined): BraidError {
  const reason: unknown = signal?.reason;
  return reason instanceof BraidError ? reason : fail('REQUEST_CANCELLED');
}
