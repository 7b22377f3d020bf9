// Follows long work in the hub to its end over server-sent events; a broken connection is taken up again where it was, since the work lives in the hub.
import { setTimeout as sleep } from 'node:timers/promises';
import { type EventSourceMessage } from 'eventsource-parser/stream';
import { CliError } from './cli-error.js';
import { HubError } from './hub-http.js';

/** How long to wait before each new try after the connection broke; after the last, the follower gives up. */
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000] as const;

export interface FollowOptions<Progress> {
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignal;
  /** @default RETRY_DELAYS_MS */
  readonly retryDelaysMs?: readonly number[];
}

/** Work with a status, and where to read of it. */
export interface FollowedWork<View extends { readonly status: string }> {
  readonly events: (options: {
    readonly lastEventId: string | undefined;
    readonly signal: AbortSignal | undefined;
  }) => AsyncIterable<EventSourceMessage>;
  readonly view: () => Promise<View>;
  /** What a person should know when the hub stays away. */
  readonly advice: string;
}

/**
 * Resolves to the work once it has ended: succeeded, failed or cancelled.
 * @throws CliError HUB_UNREACHABLE when the hub stays away; HubError as the hub refuses
 */
export async function followStream<Progress, View extends { readonly status: string }>(
  work: FollowedWork<View>,
  { onProgress, signal, retryDelaysMs: delays = RETRY_DELAYS_MS }: FollowOptions<Progress>,
): Promise<View> {
  let failures = 0;
  let lastEventId: string | undefined;
  for (;;) {
    try {
      for await (const event of work.events({ lastEventId, signal })) {
        failures = 0;
        lastEventId = event.id ?? lastEventId;
        if (event.event === 'progress') onProgress(JSON.parse(event.data) as Progress);
      }
      const view = await work.view();
      if (isEnded(view)) return view;
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (failures >= delays.length) throw new CliError(error.code, `${error.message} ${work.advice}`, undefined, { cause: error });
    }
    // A stream that ended without the work's end counts as a failure too, so that a hub which closes at once is not asked in a loop.
    await sleep(delays[Math.min(failures, delays.length - 1)], undefined, signal === undefined ? {} : { signal });
    failures++;
  }
}

/** Nothing more will happen to the work. */
function isEnded({ status }: { readonly status: string }): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}

function isPassing(error: unknown): error is CliError {
  if (error instanceof HubError) return error.retryable || error.status >= 500;
  return error instanceof CliError && error.code === 'HUB_UNREACHABLE';
}
