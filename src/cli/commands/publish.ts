// `braid publish`: sends a PEFT adapter folder, or a chain of restarts as one, to the hub as an immutable version.
import { type Command } from 'commander';
import { type AdapterFormOptions, createAdapterForm, createMadeForm } from '../adapter-form.js';
import { asCliError, CliError, EXIT } from '../cli-error.js';
import { Invocation, type CliContext } from '../invocation.js';
import { collect, repoName, version } from '../options.js';
import { publishForm } from '../publish-form.js';
import { formatPlural } from '../render/quantities.js';

interface PublishOptions {
  readonly base: string;
  readonly version?: string;
  readonly tag?: readonly string[];
  readonly examples?: string;
  readonly restarts?: boolean;
}

export function registerPublish(program: Command, context: CliContext): void {
  program
    .command('publish')
    .summary('publish a PEFT adapter folder')
    .description('Publish a PEFT adapter folder as an immutable version of ns/name. The same content again is the same version.')
    .usage('[options] <dir> <ns/name>')
    .argument(
      '<words...>',
      "the folder that PEFT's save_pretrained wrote (with --restarts, all folders of the chain), then the adapter's name",
    )
    .requiredOption('--base <org/name>', 'the base model it was trained on', repoName)
    .option(
      '--restarts',
      'several folders are the restarts of one training (ReLoRA): they become one adapter whose rank is the sum of theirs',
    )
    .option('--version <version>', 'semantic version (default: the next minor, or 1.0.0)', version)
    .option('-t, --tag <tag>', 'a tag; may be repeated', collect)
    .option('--examples <file>', 'JSON lines of examples of what it does, kept with the version')
    .addHelpText(
      'after',
      '\nExamples:\n  braid publish ./reverse acme/reverse --base hf/smollm2 --tag words --version 1.2.0\n  braid publish --restarts ./restart-1 ./restart-2 acme/reverse --base hf/smollm2',
    )
    .action(async (words: readonly string[], options: PublishOptions, command: Command) => {
      const { directories, name } = splitWords(words, options.restarts === true);
      const invocation = new Invocation(context, command);
      const { base, version: wanted, tag: tags, examples } = options;
      const formOptions: AdapterFormOptions = { name, base, version: wanted, tags, examples };
      const [first = ''] = directories;
      const form = await (options.restarts === true
        ? createRestartsForm(invocation, directories, formOptions)
        : createAdapterForm(first, formOptions));
      await publishForm(invocation, name, form);
    });
}

/** @throws CliError USAGE */
function splitWords(words: readonly string[], hasRestarts: boolean): { readonly directories: readonly string[]; readonly name: string } {
  const directories = words.slice(0, -1);
  const name = words.at(-1) ?? '';
  if (directories.length === 0)
    throw new CliError('USAGE', "Name the folder and the adapter: braid publish <dir> <ns/name>. See 'braid publish --help'.", EXIT.usage);
  if (directories.length > 1 && !hasRestarts) {
    throw new CliError(
      'USAGE',
      `${directories.length} folders make one adapter only as restarts of one training: say --restarts.`,
      EXIT.usage,
    );
  }
  return { directories, name: repoName(name) };
}

async function createRestartsForm(invocation: Invocation, directories: readonly string[], options: AdapterFormOptions): Promise<FormData> {
  // The readers of adapters are loaded by this alone: other commands start without them.
  const [{ listLinearModules, parseModelConfig }, { stackRestarts }] = await Promise.all([
    import('#kernels/models/models.js'),
    import('#src/checkpoints/stack-restarts.js'),
  ]);
  const modules = listLinearModules(parseModelConfig(await invocation.hub.getBaseModelConfig(options.base)));
  try {
    const { encoded, card, rank } = await stackRestarts(directories, modules, options.base);
    invocation.note(`Stacked ${formatPlural(directories.length, 'restart')} to rank ${rank}`);
    return await createMadeForm({ ...encoded, card }, options);
  } catch (error) {
    throw asCliError(error);
  }
}
