// Tells the streams of this process what its own jobs do between two writes to the database.
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { RowId } from '#src/ids/ids.js';
import type { JobProgress } from '../compose.views.js';

@Injectable()
export class JobBroadcast implements OnModuleDestroy {
  private readonly shutdown = new AbortController();
  private readonly logs = new Map<RowId, { latest: JobProgress; readonly improvements: JobProgress[] }>();
  private readonly waiting = new Map<RowId, Set<() => void>>();

  /** Aborted when the hub stops: a stream left open would keep it from closing. */
  get closing(): AbortSignal {
    return this.shutdown.signal;
  }

  onModuleDestroy(): void {
    this.shutdown.abort();
  }

  /** What a job that runs in this process did last; undefined for all others. */
  progressOf(id: RowId): JobProgress | undefined {
    return this.logs.get(id)?.latest;
  }

  /** Each report of a job that runs in this process that was better than all before it, in order; undefined for other jobs. */
  improvementsOf(id: RowId): readonly JobProgress[] | undefined {
    return this.logs.get(id)?.improvements;
  }

  report(id: RowId, progress: JobProgress): void {
    const log = this.logs.get(id) ?? { latest: progress, improvements: [] };
    this.logs.set(id, log);
    log.latest = progress;
    const { bestObjective } = progress;
    if (bestObjective !== null && bestObjective < (log.improvements.at(-1)?.bestObjective ?? Infinity)) log.improvements.push(progress);
    this.wake(id);
  }

  /** The row has it all now. */
  end(id: RowId): void {
    this.logs.delete(id);
    this.wake(id);
  }

  /** Something about the job may have changed. */
  wake(id: RowId): void {
    const woken = this.waiting.get(id);
    this.waiting.delete(id);
    for (const wake of woken ?? []) wake();
  }

  /** Resolves at the next change in this process, after the time, or when the signal is aborted. */
  nextChange(id: RowId, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        const others = this.waiting.get(id);
        others?.delete(finish);
        if (others?.size === 0) this.waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(finish, timeoutMs);
      signal.addEventListener('abort', finish, { once: true });
      const wakers = this.waiting.get(id) ?? new Set();
      wakers.add(finish);
      this.waiting.set(id, wakers);
    });
  }
}
