// `braid search`: full text over adapters and compositions, with filters and counts.
import { type Command } from 'commander';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { collect, realNumber, repoName, wholeNumber } from '../options.js';
import { renderSearch } from '../render/search.js';

interface SearchOptions {
  readonly base?: string;
  readonly tag?: readonly string[];
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly targetModule?: readonly string[];
  readonly peftType?: string;
  readonly kind?: string;
  readonly evaluated?: string;
  readonly minExactMatch?: number;
  readonly limit: number;
  readonly after?: string;
}

export function registerSearch(program: Command, context: CliContext): void {
  program
    .command('search')
    .summary('find adapters and compositions')
    .description('Find adapters and compositions by words in name, tags, description and card.')
    .argument('[words...]', 'what to look for; without words: everything')
    .option('--base <org/name>', 'for this base model', repoName)
    .option('-t, --tag <tag>', 'with this tag; may be repeated', collect)
    .option('--min-rank <n>', 'of at least this rank', wholeNumber(1, 65_536))
    .option('--max-rank <n>', 'of at most this rank', wholeNumber(1, 65_536))
    .option('--target-module <name>', 'that changes this module, such as q_proj; may be repeated', collect)
    .option('--peft-type <type>', 'of this PEFT type, such as LORA')
    .option('--kind <kind>', 'adapter or composition')
    .option('--evaluated <name>', 'that braid eval measured under this name; shows the exact match')
    .option('--min-exact-match <share>', 'with --evaluated: of at least this exact match, 0 to 1', realNumber(0, 1))
    .option('--limit <n>', 'results in a page', wholeNumber(1, 100), 20)
    .option('--after <cursor>', 'the next page: the cursor that the last one ended with')
    .addHelpText('after', '\nExample:\n  braid search "reverse words" --base hf/smollm2 --min-rank 8')
    .action(async (words: readonly string[], options: SearchOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const page = await invocation.hub.search({ q: words.join(' '), ...ownOptions(options) });
      invocation.show(page, () => renderSearch(page, invocation.terminal));
    });
}
