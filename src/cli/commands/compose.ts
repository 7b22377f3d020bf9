// `braid compose`: learns a weighted combination of adapters from a few examples, showing the search as it runs.
import { Option, type Command } from 'commander';
import { CliError, EXIT } from '../cli-error.js';
import { createComposeProgress } from '../compose-progress.js';
import { followJob } from '../follow-job.js';
import { HubError } from '../hub-http.js';
import { type CompositionJobView, type CompositionView, type JobRequest } from '../hub-views.js';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { adapterList, choiceList, realNumber, repoName, version, wholeNumber } from '../options.js';
import { readExamples } from '../read-examples.js';
import { type CompositionPage, renderComposition } from '../render/composition.js';
import { printableLine } from '../terminal.js';
import { assertWritable } from '../write-file.js';
import { writeReport } from '../write-report.js';

type ComposeOptions = Omit<JobRequest, 'name' | 'examples'> & {
  /** A path. */
  readonly examples: string;
  readonly detach?: boolean;
  readonly explain?: boolean;
  /** A path. */
  readonly report?: string;
};

export function registerCompose(program: Command, context: CliContext): void {
  program
    .command('compose')
    .summary('learn a combination of adapters from a few examples')
    .description(
      'Learn a weighted combination of adapters from a few examples of a new task. The result is a version that can be called by name.',
    )
    .argument('<ns/name>', "the composition's name", repoName)
    .requiredOption('--base <org/name>', 'the base model', repoName)
    .requiredOption('--examples <file>', 'JSON lines with prompt and completion, or messages; - reads standard input')
    .addOption(new Option('--adapters <names>', 'candidates: a@1.0.0,b,…').argParser(adapterList).conflicts(['query', 'top']))
    .option('--query <words>', 'candidates: what a search for these words finds; without both, every adapter of the base')
    .option(
      '--top <n>',
      'candidates at most, the most promising ones (default: 32; with --query 20)',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--budget <n>', 'weight vectors to try (default: 200)', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--seed <n>', 'the same seed finds the same weights (default: 1)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option(
      '--strategy <name>',
      'how to search: weave, select-then-search, lorahub; single stages as in weave,search=cma-es (default: weave)',
    )
    .option('--explain', 'show what each stage of the search did and spent')
    .addOption(new Option('--space <name>', "what weights act on (default: delta); factor is LoraHub's merge").choices(['delta', 'factor']))
    .addOption(
      new Option(
        '--precision <name>',
        'what the search goes by (default: float32); int8 is about twice as fast on the CPU, float16 on GPUs; what they find is measured again in float32',
      ).choices(['float32', 'float16', 'int8']),
    )
    .addOption(
      new Option('--objective <name>', 'what is minimised (default: likelihood; with --choices choice, with --reward reward)').choices([
        'likelihood',
        'normalised',
        'choice',
        'exact',
        'reward',
      ]),
    )
    .option('--choices <a,b,c>', 'every answer is one of these: each is scored, the right one is to be the likeliest', choiceList)
    .option('--reward <url>', 'a service that judges the generated answers; the hub must list its origin in BRAID_REWARD_ORIGINS')
    .option('--regularisation <n>', 'price of weights: n times the mean of |w| (default: 0.05)', realNumber(0, 10))
    .option('--bound <n>', 'weights lie between -n and n (default: 1.5)', realNumber(1, 10))
    .option(
      '--shots <k>',
      'compose for the prompted model: k of the examples in front of each other one, and of every request',
      wholeNumber(1, 32),
    )
    .addOption(new Option('--report <file>', 'write the report as a page of HTML').conflicts('detach'))
    .addOption(new Option('--priority <name>', 'whose turn comes first (default: normal)').choices(['low', 'normal', 'high']))
    .option('--version <version>', 'semantic version (default: the next minor, or 1.0.0)', version)
    .option('--detach', 'start the job and return; braid jobs watch ID follows it')
    .addHelpText(
      'after',
      '\nCtrl-C cancels the job; a second Ctrl-C leaves at once.\n\nExample:\n  braid compose acme/upper-words --base hf/smollm2 --examples five.jsonl --query "words" --top 20 --budget 200',
    )
    .action(async (name: string, options: ComposeOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const { examples: file, detach, explain, report, ...rest } = ownOptions(options);
      if (report !== undefined) await assertWritable(report);
      const examples = await readExamples(file);
      const { id } = await invocation.hub.startJob({ name, ...rest, examples });
      if (detach === true) {
        invocation.show({ id }, () => `${id}\n`);
        invocation.note(`Follow it with: braid jobs watch ${id}`);
        return;
      }
      const composition = await watchJob(invocation, id, { prompt: promptOf(examples[0]), explain: explain === true });
      if (report === undefined) return;
      const { output } = await writeReport(invocation.hub, composition, report);
      invocation.note(`The report: ${output}`);
    });
}

/**
 * Follows a job, shows its composition and returns it; Ctrl-C cancels it.
 * @throws CliError JOB_CANCELLED (status 130 when it was us), the job's own error, and as `followJob`
 */
export async function watchJob(
  invocation: Invocation,
  id: string,
  page: Pick<CompositionPage, 'prompt' | 'explain'>,
): Promise<CompositionView> {
  const { hub, context, terminal } = invocation;
  const progress = createComposeProgress(terminal);
  let interrupted = false;
  let cancelling: Promise<unknown> = Promise.resolve();
  const interrupt = (): void => {
    if (interrupted) {
      progress.stop();
      process.exit(EXIT.interrupted);
    }
    interrupted = true;
    progress.stop();
    terminal.err.write(`Cancelling ${id}; Ctrl-C again leaves at once.\n`);
    // A job that has just ended cannot be cancelled: its end is reported as it is.
    cancelling = hub.cancelJob(id).catch((error: unknown) => (error instanceof HubError ? undefined : Promise.reject(error as Error)));
  };
  let job: CompositionJobView;
  try {
    job = await context.interrupts.during(interrupt, async () => {
      const ended = await followJob(hub, id, { onProgress: (state) => (interrupted ? undefined : progress.update(state)) });
      await cancelling;
      return ended;
    });
  } finally {
    progress.stop();
  }
  if (job.status === 'failed') {
    throw new CliError(job.error?.code ?? 'JOB_FAILED', printableLine(job.error?.message ?? `The job ${id} failed.`));
  }
  if (job.status === 'cancelled') {
    throw new CliError('JOB_CANCELLED', `The job ${id} was cancelled; nothing was published.`, interrupted ? EXIT.interrupted : EXIT.error);
  }
  const { composition } = job;
  if (composition === null)
    throw new CliError(
      'NOT_A_HUB',
      `The hub says that the job ${id} succeeded but names no composition. Are hub and braid of one version?`,
    );
  invocation.show(job, () => renderComposition({ composition, hubUrl: hub.url, ...page }, terminal));
  return composition;
}

/** The first example's prompt, for the call that is shown; chat examples have none. */
function promptOf(example: unknown): string {
  if (typeof example === 'object' && example !== null && 'prompt' in example && typeof example.prompt === 'string') return example.prompt;
  return 'Once';
}
