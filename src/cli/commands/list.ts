// `braid list`: what the hub holds, newest version of each.
import { Option, type Command } from 'commander';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { repoName, wholeNumber } from '../options.js';
import { renderRepositories } from '../render/repositories.js';

interface ListOptions {
  readonly kind?: string;
  readonly base?: string;
  readonly limit: number;
  readonly after?: string;
}

export function registerList(program: Command, context: CliContext): void {
  program
    .command('list')
    .summary('list adapters and compositions')
    .description('List adapters and compositions by name.')
    .addOption(new Option('--kind <kind>', 'only one kind').choices(['adapter', 'composition']))
    .option('--base <org/name>', 'for this base model', repoName)
    .option('--limit <n>', 'rows in a page', wholeNumber(1, 100), 50)
    .option('--after <cursor>', 'the next page: the cursor that the last one ended with')
    .action(async (options: ListOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const page = await invocation.hub.listRepositories(ownOptions(options));
      invocation.show(page, () =>
        page.items.length === 0 && options.after !== undefined ? 'Nothing more.\n' : renderRepositories(page, invocation.terminal),
      );
    });
}
