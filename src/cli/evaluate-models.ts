// Has models evaluated on the same examples and follows it to the end, showing how far it is.
import { basename, extname } from 'node:path';
import { CliError, EXIT } from './cli-error.js';
import { createEvalProgress } from './eval-progress.js';
import { followStream } from './follow-stream.js';
import { HubError } from './hub-http.js';
import { type EvaluationDifferenceView, type EvaluationProgress, type EvaluationRequest, type EvaluationView } from './hub-views.js';
import { type Invocation } from './invocation.js';
import { printableLine } from './terminal.js';

export interface ComparedEvaluations {
  /** In the order of the models. */
  readonly evaluations: readonly EvaluationView[];
  /** Of the others against the first. */
  readonly differences: readonly EvaluationDifferenceView[];
}

/**
 * Ctrl-C cancels what has not ended.
 * @throws CliError EVALUATION_CANCELLED, what the hub refuses, and an evaluation's own error
 */
export async function evaluateModels(
  invocation: Invocation,
  models: readonly string[],
  request: Omit<EvaluationRequest, 'model'>,
): Promise<ComparedEvaluations> {
  // All before the first is waited for: a wrong name is better known now than in an hour.
  const started: EvaluationView[] = [];
  for (const model of models) started.push(await invocation.hub.startEvaluation({ model, ...request }));
  const evaluations = await followAll(invocation, started);
  return { evaluations, differences: await compareWithFirst(invocation, evaluations) };
}

/** Follows one after the other; Ctrl-C cancels what has not ended. */
async function followAll(invocation: Invocation, started: readonly EvaluationView[]): Promise<EvaluationView[]> {
  const { hub, context, terminal } = invocation;
  let interrupted = false;
  let cancelling: Promise<unknown> = Promise.resolve();
  let stopProgress = (): void => undefined;
  const interrupt = (): void => {
    stopProgress();
    if (interrupted) process.exit(EXIT.interrupted);
    interrupted = true;
    terminal.err.write('Cancelling; Ctrl-C again leaves at once.\n');
    // One that has just ended cannot be cancelled: its end is reported as it is.
    const cancel = (id: string): Promise<unknown> =>
      hub.cancelEvaluation(id).catch((error: unknown) => (error instanceof HubError ? undefined : Promise.reject(error as Error)));
    cancelling = Promise.all(started.map(({ id }) => cancel(id)));
  };
  return context.interrupts.during(interrupt, async () => {
    const ended: EvaluationView[] = [];
    for (const view of started) {
      const { id, model, status } = view;
      const progress = createEvalProgress(terminal, model);
      stopProgress = () => progress.stop();
      try {
        const evaluation =
          status === 'succeeded'
            ? view
            : await followStream<EvaluationProgress, EvaluationView>(
                {
                  events: (position) => hub.evaluationEvents(id, position),
                  view: () => hub.getEvaluation(id),
                  advice: 'The evaluation goes on if the hub does: the same command takes it up again.',
                },
                { onProgress: (state) => (interrupted ? undefined : progress.update(state)) },
              );
        await cancelling;
        assertSucceeded(evaluation, interrupted);
        ended.push(evaluation);
      } finally {
        progress.stop();
      }
    }
    return ended;
  });
}

/** @throws CliError EVALUATION_CANCELLED (status 130 when it was us), and the evaluation's own error */
function assertSucceeded({ model, status, error }: EvaluationView, interrupted: boolean): void {
  if (status === 'failed')
    throw new CliError(error?.code ?? 'EVALUATION_FAILED', `${model}: ${printableLine(error?.message ?? 'it failed.')}`);
  if (status !== 'succeeded') {
    throw new CliError(
      'EVALUATION_CANCELLED',
      `The evaluation of ${model} was cancelled; the same command goes on where it was.`,
      interrupted ? EXIT.interrupted : EXIT.error,
    );
  }
}

async function compareWithFirst({ hub }: Invocation, evaluations: readonly EvaluationView[]): Promise<EvaluationDifferenceView[]> {
  const [first, ...others] = evaluations;
  if (first === undefined) return [];
  const differences: EvaluationDifferenceView[] = [];
  for (const other of others) differences.push(await hub.compareEvaluations(first.id, other.id));
  return differences;
}

/** The name of an evaluation on a file of examples. @throws CliError EVALUATION_UNNAMED for standard input */
export function nameOfFile(file: string): string {
  if (file === '-')
    throw new CliError('EVALUATION_UNNAMED', 'Examples from standard input have no name: give one with --name.', EXIT.usage);
  return basename(file, extname(file));
}
