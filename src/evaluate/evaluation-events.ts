// The event stream of one evaluation: its state now, every change, and how it ended. Read from the row, whichever process writes it.
import { followWork } from '#src/work/follow-work.js';
import { hasEnded } from '#src/work/work-status.js';
import type { EvaluationEvent, EvaluationProgress, EvaluationView } from './evaluate.views.js';

export interface EvaluationEventSource {
  readonly getProgress: () => Promise<EvaluationProgress>;
  readonly getView: () => Promise<EvaluationView>;
  /** Resolves when the row may have changed. */
  readonly nextChange: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** As `followWork`. */
export function followEvaluation({
  getProgress,
  getView,
  nextChange,
  signal,
}: EvaluationEventSource): AsyncGenerator<EvaluationEvent | undefined, void> {
  let shown: EvaluationProgress | undefined;
  return followWork({
    signal,
    nextChange,
    look: async function* (): AsyncGenerator<EvaluationEvent, void> {
      const progress = await getProgress();
      if (progress.status !== shown?.status || progress.evaluated !== shown.evaluated) {
        shown = progress;
        yield { type: 'progress', data: progress };
      }
      if (hasEnded(progress.status)) yield endingOf(await getView());
    },
  });
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
