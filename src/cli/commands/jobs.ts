// `braid jobs`: composition jobs of a hub: look at one, follow it, cancel it.
import { type Command } from 'commander';
import { Invocation, type CliContext } from '../invocation.js';
import { renderJob } from '../render/jobs.js';
import { watchJob } from './compose.js';

export function registerJobs(program: Command, context: CliContext): void {
  const jobs = program.command('jobs').description('look at, follow or cancel composition jobs');

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
      await watchJob(new Invocation(context, command), id, 'Once');
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
