// `braid recompose`: a composition again, from the newest versions of its candidates, starting at its weights.
import { Option, type Command } from 'commander';
import { Invocation, type CliContext } from '../invocation.js';
import { repoName } from '../options.js';
import { watchJob } from './compose.js';

interface RecomposeOptions {
  readonly priority?: string;
  readonly detach?: boolean;
}

export function registerRecompose(program: Command, context: CliContext): void {
  program
    .command('recompose')
    .summary('compose again when adapters have new versions')
    .description(
      "Compose the latest version of a composition again: the same examples and settings, the newest versions of its candidates, the search starting at the composition's weights. The result is its next version.",
    )
    .argument('<ns/name>', "the composition's name", repoName)
    .addOption(new Option('--priority <name>', 'whose turn comes first (default: normal)').choices(['low', 'normal', 'high']))
    .option('--detach', 'start the job and return; braid jobs watch ID follows it')
    .action(async (name: string, { priority, detach }: RecomposeOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const { id } = await invocation.hub.recompose(name, { priority });
      if (detach === true) {
        invocation.show({ id }, () => `${id}\n`);
        invocation.note(`Follow it with: braid jobs watch ${id}`);
        return;
      }
      await watchJob(invocation, id, { prompt: 'Once' });
    });
}
