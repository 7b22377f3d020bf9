// `braid report`: how a composition came to be and what to expect of it, as one page of HTML.
import { type Command } from 'commander';
import { Invocation, type CliContext } from '../invocation.js';
import { versionedName } from '../options.js';
import { formatBytes } from '../render/quantities.js';
import { writeReport } from '../write-report.js';
import { type VersionedName } from '#src/ids/ids.js';

export function registerReport(program: Command, context: CliContext): void {
  program
    .command('report')
    .summary("write a composition's report as a page of HTML")
    .description(
      'Write the report of a composition as one self-contained page of HTML: the verdict, the weights, the search, and what base and composition make of each example.',
    )
    .argument('<name>', 'ns/name or ns/name@version', versionedName)
    .option('--output <file>', 'write it there (default: standard output)')
    .addHelpText('after', '\nExample:\n  braid report acme/upper-words --output report.html')
    .action(async (name: VersionedName, { output }: { output?: string }, command: Command) => {
      const invocation = new Invocation(context, command);
      if (output === undefined) {
        const html = await invocation.hub.getReport(name.name, name.version);
        invocation.show({ html }, () => html);
        return;
      }
      const written = await writeReport(invocation.hub, name, output);
      invocation.show(written, () => `wrote ${written.output} (${formatBytes(written.sizeBytes)})\n`);
    });
}
