// `braid eval`: measures models on examples, showing how far it is; several are compared with the first.
import { basename, extname } from 'node:path';
import { type Command } from 'commander';
import { CliError, EXIT } from '../cli-error.js';
import { createEvalProgress } from '../eval-progress.js';
import { followStream } from '../follow-stream.js';
import { HubError } from '../hub-http.js';
import { type EvaluationDifferenceView, type EvaluationProgress, type EvaluationView } from '../hub-views.js';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { choiceList, versionedName, wholeNumber } from '../options.js';
import { readExamples } from '../read-examples.js';
import { renderEvaluations } from '../render/evaluations.js';
import { printableLine } from '../terminal.js';

interface EvalOptions {
  /** A path. */
  readonly examples: string;
  readonly name?: string;
  readonly maxTokens?: number;
  readonly choices?: readonly string[];
  readonly lengthNormalized?: boolean;
}

export function registerEval(program: Command, context: CliContext): void {
  program
    .command('eval')
    .summary('measure models on examples')
    .description(
      'Measure base models, adapters and compositions on examples: loss, exact match, and accuracy among choices, each with a 95 % interval. The results are kept with the version; the same command again shows them, or goes on where it was.',
    )
    .argument('<models...>', 'names, ns/name or ns/name@version; the others are compared with the first', modelNames)
    .requiredOption('--examples <file>', 'JSON lines with prompt and completion, or messages; - reads standard input')
    .option('--name <name>', "the evaluation's name, by which search finds it (default: the file's name)")
    .option('--max-tokens <n>', 'tokens an answer may have (default: 32, or what the longest completion needs)', wholeNumber(1, 100_000))
    .option('--choices <a,b,c>', 'every answer is one of these: which one the model finds likeliest is its accuracy', choiceList)
    .option('--length-normalized', "divide a choice's log-likelihood by its tokens")
    .addHelpText(
      'after',
      '\nExact match compares the first line of a greedy answer, stripped, with the completion.\nCtrl-C cancels; what is done stays done.\n\nExample:\n  braid eval hf/smollm2 acme/upper-words --examples test.jsonl',
    )
    .action(async (models: readonly string[], options: EvalOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const { examples: file, name = nameOfFile(file), ...rest } = ownOptions(options);
      const examples = await readExamples(file);
      // All before the first is waited for: a wrong name is better known now than in an hour.
      const started: EvaluationView[] = [];
      for (const model of models) started.push(await invocation.hub.startEvaluation({ model, name, examples, ...rest }));
      const evaluations = await followAll(invocation, started);
      const differences = await compareWithFirst(invocation, evaluations);
      invocation.show({ evaluations, differences }, () => renderEvaluations(evaluations, differences, invocation.terminal));
    });
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

/** @throws CliError EVALUATION_UNNAMED for standard input */
function nameOfFile(file: string): string {
  if (file === '-')
    throw new CliError('EVALUATION_UNNAMED', 'Examples from standard input have no name: give one with --name.', EXIT.usage);
  return basename(file, extname(file));
}

function modelNames(text: string, before: readonly string[] | undefined): string[] {
  versionedName(text);
  return [...(before ?? []), text];
}
