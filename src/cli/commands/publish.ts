// `braid publish`: sends a PEFT adapter folder to the hub as an immutable version.
import { type Command } from 'commander';
import { createAdapterForm } from '../adapter-form.js';
import { Invocation, type CliContext } from '../invocation.js';
import { collect, repoName, version } from '../options.js';
import { renderPublished } from '../render/adapters.js';
import { printableLine } from '../terminal.js';

interface PublishOptions {
  readonly base: string;
  readonly version?: string;
  readonly tag?: readonly string[];
  readonly examples?: string;
}

export function registerPublish(program: Command, context: CliContext): void {
  program
    .command('publish')
    .summary('publish a PEFT adapter folder')
    .description('Publish a PEFT adapter folder as an immutable version of ns/name. The same content again is the same version.')
    .argument('<dir>', "the folder that PEFT's save_pretrained wrote")
    .argument('<ns/name>', "the adapter's name", repoName)
    .requiredOption('--base <org/name>', 'the base model it was trained on', repoName)
    .option('--version <version>', 'semantic version (default: the next minor, or 1.0.0)', version)
    .option('-t, --tag <tag>', 'a tag; may be repeated', collect)
    .option('--examples <file>', 'JSON lines of examples of what it does, kept with the version')
    .addHelpText('after', '\nExample:\n  braid publish ./reverse acme/reverse --base hf/smollm2 --tag words --version 1.2.0')
    .action(async (directory: string, name: string, options: PublishOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const form = await createAdapterForm(directory, {
        name,
        base: options.base,
        version: options.version,
        tags: options.tag,
        examples: options.examples,
      });
      invocation.note(`Publishing ${name} …`);
      const published = await invocation.hub.publish(form);
      for (const warning of published.warnings)
        invocation.note(`${invocation.terminal.errStyle.yellow('warning')}: ${printableLine(warning)}`);
      invocation.show(published, () => renderPublished(published, invocation.terminal.style));
    });
}
