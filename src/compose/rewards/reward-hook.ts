// Asks a user's service how good answers are: one POST, no redirects, bounded in time, size and attempts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatMessage } from '#src/tokenizer/chat-template.js';
import { failCompose } from '../compose.errors.js';
import { InvalidRewards, MOST_ANSWER_BYTES, readRewards } from './read-rewards.js';
import { showRewardUrl } from './reward-url.js';

/** An answer to be judged, as the service is asked. */
export type RewardQuestion = ({ readonly prompt: string } | { readonly messages: readonly ChatMessage[] }) & {
  readonly answer: string;
  /** The example's own answer. */
  readonly expected: string;
};

/**
 * Rewards from 0 to 1 in the order of the questions.
 * @throws BraidError REWARD_UNAVAILABLE, REWARD_REFUSED, REWARD_INVALID; the signal's reason when it is aborted
 */
export type RewardHook = (questions: readonly RewardQuestion[], signal: AbortSignal) => Promise<readonly number[]>;

export interface RewardHookOptions {
  /** Of one attempt, from the connection to the last byte. */
  readonly timeoutMs: number;
  /** Before the second attempt and those after it. */
  readonly waitsMs?: readonly number[];
  /** A service that asks for more is not waited for so long. */
  readonly longestWaitMs?: number;
}

/** What passes within seconds; the job itself is tried again later. */
const WAITS_MS = [500, 2_000, 8_000] as const;
const LONGEST_WAIT_MS = 30_000;

/** What may pass: no connection, no answer in time, 429, 5xx. */
class PassingFailure extends Error {
  override readonly name = 'PassingFailure';
  constructor(
    message: string,
    /** As the service asks for; absent where it does not. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

export function createRewardHook(
  url: URL,
  { timeoutMs, waitsMs = WAITS_MS, longestWaitMs = LONGEST_WAIT_MS }: RewardHookOptions,
): RewardHook {
  const service = showRewardUrl(url);
  return async (questions, signal) => {
    const body = JSON.stringify({ examples: questions });
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await ask(url, body, questions.length, { timeoutMs, signal });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof PassingFailure)) throw error;
        const waitMs = waitsMs[attempt];
        if (waitMs === undefined) throw failCompose('REWARD_UNAVAILABLE', { service, attempts: attempt + 1, reason: error.message });
        await sleep(Math.min(longestWaitMs, Math.max(waitMs, error.retryAfterMs ?? 0)), undefined, { signal }).catch(() => undefined);
      }
    }
  };
}

async function ask(
  url: URL,
  body: string,
  wanted: number,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly number[]> {
  const service = showRewardUrl(url);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const { status } = response;
    if (response.ok) return await readRewards(response.body, wanted);
    // Nobody reads what else it says; the connection is free again.
    await response.body?.cancel();
    if (status === 429 || status >= 500) throw new PassingFailure(`it answered with status ${status}`, retryAfterOf(response));
    const isRedirect = status >= 300 && status < 400;
    throw failCompose('REWARD_REFUSED', {
      service,
      found: isRedirect ? `a redirect (status ${status}), which is not followed` : `status ${status}`,
    });
  } catch (error) {
    if (error instanceof InvalidRewards) {
      throw failCompose('REWARD_INVALID', { service, found: error.message, wanted, bytes: MOST_ANSWER_BYTES });
    }
    throw describeFailure(error, timeoutMs);
  }
}

/** What fetch throws is a TypeError whose cause says what happened; its own message may hold the URL. */
function describeFailure(error: unknown, timeoutMs: number): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'TimeoutError') return new PassingFailure(`it took longer than ${timeoutMs / 1000} s`);
  if (!(error instanceof TypeError)) return error;
  const { cause } = error;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return new PassingFailure(`the connection failed${typeof code === 'string' ? ` (${code})` : ''}`);
}

/** Seconds, or a date; undefined where the header is absent or neither. */
function retryAfterOf({ headers }: Response): number | undefined {
  const text = headers.get('retry-after')?.trim() ?? '';
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
