// Follows a composition job to its end over server-sent events; a broken connection is taken up again where it was, since the job lives in the hub.
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from './cli-error.js';
import { type HubClient } from './hub-client.js';
import { HubError } from './hub-http.js';
import { type JobProgress, type CompositionJobView } from './hub-views.js';

/** How long to wait before each new try after the connection broke; after the last, the follower gives up. */
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000] as const;

export interface FollowOptions {
  readonly onProgress: (progress: JobProgress) => void;
  readonly signal?: AbortSignal;
  /** @default RETRY_DELAYS_MS */
  readonly retryDelaysMs?: readonly number[];
}

/**
 * Resolves to the job once it has ended: succeeded, failed or cancelled.
 * @throws CliError HUB_UNREACHABLE when the hub stays away; HubError UNKNOWN_JOB and what else the hub refuses
 */
export async function followJob(hub: HubClient, id: string, options: FollowOptions): Promise<CompositionJobView> {
  const delays = options.retryDelaysMs ?? RETRY_DELAYS_MS;
  let failures = 0;
  let lastEventId: string | undefined;
  for (;;) {
    try {
      for await (const event of hub.jobEvents(id, { lastEventId, signal: options.signal })) {
        failures = 0;
        lastEventId = event.id ?? lastEventId;
        if (event.event === 'progress') options.onProgress(JSON.parse(event.data) as JobProgress);
      }
      const job = await hub.getJob(id);
      if (isEnded(job)) return job;
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (failures >= delays.length)
        throw new CliError(error.code, `${error.message} The job goes on if the hub does: braid jobs watch ${id}`, undefined, {
          cause: error,
        });
    }
    // A stream that ended without the job's end counts as a failure too, so that a hub which closes at once is not asked in a loop.
    await sleep(delays[Math.min(failures, delays.length - 1)], undefined, options.signal === undefined ? {} : { signal: options.signal });
    failures++;
  }
}

/** Nothing more will happen to the job. */
export function isEnded({ status }: CompositionJobView): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}

function isPassing(error: unknown): error is CliError {
  if (error instanceof HubError) return error.retryable || error.status >= 500;
  return error instanceof CliError && error.code === 'HUB_UNREACHABLE';
}
