// Work of minutes that asks an engine many times should not die of what passes: a full queue, a worker that is started again.
import { setTimeout as sleep } from 'node:timers/promises';
import { BraidError } from '#src/http/braid-error.js';

const WAITS_MS = [500, 2_000, 8_000] as const;

/** Tries again after errors that the engine calls retryable, a few times. @throws the last error; the signal's reason when it is aborted */
export async function patiently<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (const waitMs of WAITS_MS) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof BraidError) || !error.retryable || signal?.aborted === true) throw error;
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    }
  }
  return attempt();
}
