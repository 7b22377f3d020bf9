// The states of long work and why it failed, as clients see them: queued → running → succeeded | failed | cancelled.
import type { BraidError } from '#src/http/braid-error.js';

export const WORK_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type WorkStatus = (typeof WORK_STATUSES)[number];

/** Why work failed. */
export interface WorkFailure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

export function hasEnded(status: WorkStatus): boolean {
  return status !== 'queued' && status !== 'running';
}

export function failureOf({ code, message, retryable }: BraidError): WorkFailure {
  return { code, message, retryable };
}
