// `braid search`: full text over adapters and compositions, with filters and counts; or adapters by likeness of their tasks.
import { Option, type Command } from 'commander';
import type { VersionedName } from '#src/ids/ids.js';
import type { LikeSearchRequest } from '../hub-views.js';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { collect, realNumber, repoName, versionedName, wholeNumber } from '../options.js';
import { readExamples } from '../read-examples.js';
import { renderLikeSearch, renderSearch } from '../render/search.js';

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
  readonly like?: VersionedName;
  readonly likeExamples?: string;
}

// Likeness has an order of its own and no pages.
const WORD_OPTIONS = ['tag', 'minRank', 'maxRank', 'targetModule', 'peftType', 'kind', 'evaluated', 'minExactMatch', 'after'];

export function registerSearch(program: Command, context: CliContext): void {
  program
    .command('search')
    .summary('find adapters and compositions')
    .description(
      'Find adapters and compositions by words in name, tags, description and card; or adapters by what their task looks like to the base model.',
    )
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
    .addOption(
      new Option('--like <ns/name>', 'adapters like this one').argParser(versionedName).conflicts([...WORD_OPTIONS, 'likeExamples']),
    )
    .addOption(
      new Option('--like-examples <file>', 'adapters for these examples (JSON lines, - for standard input); with --base').conflicts(
        WORD_OPTIONS,
      ),
    )
    .option('--limit <n>', 'results in a page', wholeNumber(1, 100), 20)
    .option('--after <cursor>', 'the next page: the cursor that the last one ended with')
    .addHelpText(
      'after',
      '\nExample:\n  braid search "reverse words" --base hf/smollm2 --min-rank 8\n  braid search --like-examples five.jsonl --base hf/smollm2',
    )
    .action(async (words: readonly string[], options: SearchOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      if (options.like !== undefined || options.likeExamples !== undefined) {
        if (words.length > 0) command.error('error: words cannot be used with --like or --like-examples', { exitCode: 2 });
        if (options.likeExamples !== undefined && options.base === undefined) {
          command.error('error: --like-examples needs --base, the base model that the adapters are for', { exitCode: 2 });
        }
        const found = await invocation.hub.searchLike(await likeRequest(options));
        invocation.show(found, () => renderLikeSearch(found, invocation.terminal));
        return;
      }
      const page = await invocation.hub.search({ q: words.join(' '), ...ownOptions(options) });
      invocation.show(page, () => renderSearch(page, invocation.terminal));
    });
}

async function likeRequest({ like, likeExamples, base, limit }: SearchOptions): Promise<LikeSearchRequest> {
  const common = { limit, ...(base !== undefined && { base }) };
  if (like !== undefined) return { ...common, like: like.version === undefined ? like.name : `${like.name}@${like.version}` };
  return { ...common, examples: await readExamples(likeExamples ?? '-') };
}
