// The event stream of one evaluation: its state now, every change, and how it ended. Read from the row, whichever process writes it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { EvaluationEvent, EvaluationProgress, EvaluationView } from './evaluate.views.js';

export interface EvaluationEventSource {
  readonly getProgress: () => Promise<EvaluationProgress>;
  readonly getView: () => Promise<EvaluationView>;
  readonly signal: AbortSignal;
  /** @default 300 */
  readonly pollMs?: number;
}

const POLL_MS = 300;
const HEARTBEAT_MS = 15_000;

/** Ends with the evaluation or the signal; `undefined` is a heartbeat, after 15 s without news. */
export async function* followEvaluation(source: EvaluationEventSource): AsyncGenerator<EvaluationEvent | undefined, void> {
  const { getProgress, getView, signal, pollMs = POLL_MS } = source;
  let shown: EvaluationProgress | undefined;
  let lastSent = performance.now();
  while (!signal.aborted) {
    const progress = await getProgress();
    if (progress.status !== shown?.status || progress.evaluated !== shown.evaluated) {
      shown = progress;
      lastSent = performance.now();
      yield { type: 'progress', data: progress };
    } else if (performance.now() - lastSent >= HEARTBEAT_MS) {
      lastSent = performance.now();
      yield undefined;
    }
    if (progress.status !== 'queued' && progress.status !== 'running') {
      yield endingOf(await getView());
      return;
    }
    // Awake early when the signal is aborted, which is no failure.
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

function endingOf(view: EvaluationView): EvaluationEvent {
  switch (view.status) {
    case 'failed':
      return { type: 'failed', data: view.error ?? { code: 'EVALUATION_FAILED', message: 'The evaluation failed.', retryable: false } };
    case 'cancelled':
      return { type: 'cancelled', data: {} };
    case 'succeeded':
    case 'queued':
    case 'running':
      return { type: 'done', data: view };
  }
}
