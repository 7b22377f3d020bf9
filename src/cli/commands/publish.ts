// `braid publish`: sends a PEFT adapter folder to the hub as an immutable version.
import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Command } from 'commander';
import { CliError } from '../cli-error.js';
import { Invocation, type CliContext } from '../invocation.js';
import { collect, repoName, version } from '../options.js';
import { unreadable } from '../read-examples.js';
import { renderPublished } from '../render/adapters.js';

interface PublishOptions {
  readonly base: string;
  readonly version?: string;
  readonly tag?: readonly string[];
  readonly examples?: string;
}

// What the hub takes from a PEFT folder; optimizer states, tokenizers and the like stay where they are.
const REQUIRED_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;
const OPTIONAL_FILES = ['README.md'] as const;

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
      const form = await createForm(directory, name, options);
      invocation.note(`Publishing ${name} …`);
      const published = await invocation.hub.publish(form);
      invocation.show(published, () => renderPublished(published, invocation.terminal.style));
    });
}

/** @throws CliError NOT_AN_ADAPTER, UNREADABLE_FILE */
async function createForm(directory: string, name: string, options: PublishOptions): Promise<FormData> {
  const form = new FormData();
  form.set('name', name);
  form.set('base', options.base);
  if (options.version !== undefined) form.set('version', options.version);
  for (const tag of options.tag ?? []) form.append('tags', tag);
  for (const file of REQUIRED_FILES) {
    const path = join(directory, file);
    if (!(await isFile(path))) throw await notAnAdapter(directory, file);
    form.set(file, await open(path), file);
  }
  for (const file of OPTIONAL_FILES) {
    const path = join(directory, file);
    if (await isFile(path)) form.set(file, await open(path), file);
  }
  if (options.examples !== undefined) form.set('examples', await open(options.examples), basename(options.examples));
  return form;
}

async function open(path: string): Promise<Blob> {
  try {
    // Read as it is sent, never whole.
    return await openAsBlob(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function notAnAdapter(directory: string, missing: string): Promise<CliError> {
  const pickled = missing === 'adapter_model.safetensors' && (await isFile(join(directory, 'adapter_model.bin')));
  const advice = pickled
    ? 'It has adapter_model.bin, a pickle, which the hub never opens: save it again with safe_serialization=True.'
    : "Give the folder that PEFT's save_pretrained wrote.";
  return new CliError('NOT_AN_ADAPTER', `${directory} has no ${missing}. ${advice}`);
}
