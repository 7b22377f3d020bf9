// Tells the streams of this process that work may have changed, before they would look at its row again.
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { RowId } from '#src/ids/ids.js';

@Injectable()
export class WorkBroadcast implements OnModuleDestroy {
  private readonly shutdown = new AbortController();
  private readonly waiting = new Map<RowId, Set<() => void>>();

  /** Aborted when the hub stops: a stream left open would keep it from closing. */
  get closing(): AbortSignal {
    return this.shutdown.signal;
  }

  onModuleDestroy(): void {
    this.shutdown.abort();
  }

  /** Something about the work may have changed. */
  wake(id: RowId): void {
    const woken = this.waiting.get(id);
    this.waiting.delete(id);
    for (const wake of woken ?? []) wake();
  }

  /** This process runs it no more: the row has it all now. */
  end(id: RowId): void {
    this.wake(id);
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
