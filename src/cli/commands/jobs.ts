// `braid jobs`: composition jobs of a hub: list them, look at one, follow it, cancel it.
import { Option, type Command } from 'commander';
import { type JobsQuery } from '../hub-client.js';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { wholeNumber } from '../options.js';
import { renderJob, renderJobs } from '../render/jobs.js';
import { watchJob } from './compose.js';

export function registerJobs(program: Command, context: CliContext): void {
  const jobs = program.command('jobs').description('list, look at, follow or cancel composition jobs');

  jobs
    .command('list')
    .description('the jobs, newest first')
    .addOption(new Option('--status <status>', 'only these').choices(['queued', 'running', 'succeeded', 'failed', 'cancelled']))
    .option('--limit <n>', 'rows in a page', wholeNumber(1, 100), 50)
    .option('--after <cursor>', 'the next page: the cursor that the last one ended with')
    .action(async (options: JobsQuery, command: Command) => {
      const invocation = new Invocation(context, command);
      const page = await invocation.hub.listJobs(ownOptions(options));
      invocation.show(page, () =>
        page.items.length === 0 && options.after !== undefined ? 'Nothing more.\n' : renderJobs(page, invocation.terminal),
      );
    });

  jobs
    .command('show')
    .description('the state of a job')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = new Invocation(context, command);
      const job = await invocation.hub.getJob(id);
      invocation.show(job, () => renderJob(job, invocation.terminal.style));
    });

  jobs
    .command('watch')
    .description('follow a job to its end and show its result; Ctrl-C cancels the job')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      await watchJob(new Invocation(context, command), id, { prompt: 'Once' });
    });

  jobs
    .command('cancel')
    .description('cancel a job')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = new Invocation(context, command);
      const job = await invocation.hub.cancelJob(id);
      invocation.show(job, () => renderJob(job, invocation.terminal.style));
    });
}
