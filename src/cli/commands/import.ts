// `braid import`: a GGUF LoRA, as llama.cpp has them, published like any other adapter.
import { type Command } from 'commander';
import { createGgufForm } from '../adapter-form.js';
import { Invocation, type CliContext } from '../invocation.js';
import { collect, repoName, version } from '../options.js';
import { publishForm } from '../publish-form.js';

interface ImportOptions {
  readonly base: string;
  readonly version?: string;
  readonly tag?: readonly string[];
  readonly examples?: string;
}

export function registerImport(program: Command, context: CliContext): void {
  program
    .command('import')
    .summary('publish a GGUF LoRA file')
    .description('Publish a GGUF LoRA (F32, F16 or BF16), as convert_lora_to_gguf.py writes it, as an immutable version of ns/name.')
    .argument('<file.gguf>', 'the adapter')
    .argument('<ns/name>', "the adapter's name", repoName)
    .requiredOption('--base <org/name>', 'the base model it was trained on', repoName)
    .option('--version <version>', 'semantic version (default: the next minor, or 1.0.0)', version)
    .option('-t, --tag <tag>', 'a tag; may be repeated', collect)
    .option('--examples <file>', 'JSON lines of examples of what it does, kept with the version')
    .addHelpText('after', '\nExample:\n  braid import reverse.gguf acme/reverse --base hf/smollm2')
    .action(async (file: string, name: string, options: ImportOptions, command: Command) => {
      const { base, version, tag: tags, examples } = options;
      await publishForm(new Invocation(context, command), name, await createGgufForm(file, { name, base, version, tags, examples }));
    });
}
