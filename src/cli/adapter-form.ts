// A PEFT adapter folder, or a GGUF LoRA file, as the upload that publishes it.
import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from './cli-error.js';
import { unreadable } from './read-examples.js';

export interface AdapterFormOptions {
  /** ns/name */
  readonly name: string;
  /** Name of the base model. */
  readonly base: string;
  readonly version?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Path of a JSON lines file, published as examples.jsonl. */
  readonly examples?: string | undefined;
}

/** An adapter in memory: the files of its folder. */
export interface MadeAdapter {
  readonly config: Uint8Array;
  /** In pieces. */
  readonly weights: readonly Uint8Array[];
  /** README.md */
  readonly card: string;
}

// What the hub takes from a PEFT folder; optimizer states, tokenizers and the like stay where they are.
const REQUIRED_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;
const OPTIONAL_FILES = ['README.md'] as const;

/**
 * The upload that POST /api/adapters takes; files are opened, and read only as they are sent.
 * @throws CliError NOT_AN_ADAPTER, UNREADABLE_FILE
 */
export async function createAdapterForm(directory: string, options: AdapterFormOptions): Promise<FormData> {
  const form = await createForm(options);
  for (const file of REQUIRED_FILES) {
    const path = join(directory, file);
    if (!(await isFile(path))) throw await notAnAdapter(directory, file);
    form.append('file', await open(path), file);
  }
  for (const file of OPTIONAL_FILES) {
    const path = join(directory, file);
    if (await isFile(path)) form.append('file', await open(path), file);
  }
  return form;
}

/**
 * The same of an adapter that a command made.
 * @throws CliError UNREADABLE_FILE
 */
export async function createMadeForm({ config, weights, card }: MadeAdapter, options: AdapterFormOptions): Promise<FormData> {
  const form = await createForm(options);
  form.append('file', new Blob([new Uint8Array(config)]), 'adapter_config.json');
  form.append('file', new Blob(weights.map((piece) => new Uint8Array(piece))), 'adapter_model.safetensors');
  form.append('file', new Blob([card]), 'README.md');
  return form;
}

/**
 * The same of a GGUF LoRA file.
 * @throws CliError UNREADABLE_FILE
 */
export async function createGgufForm(path: string, options: AdapterFormOptions): Promise<FormData> {
  const form = await createForm(options);
  form.append('file', await open(path), 'adapter.gguf');
  return form;
}

async function createForm(options: AdapterFormOptions): Promise<FormData> {
  const form = new FormData();
  form.set('name', options.name);
  form.set('base', options.base);
  if (options.version !== undefined) form.set('version', options.version);
  for (const tag of options.tags ?? []) form.append('tag', tag);
  if (options.examples !== undefined) form.append('file', await open(options.examples), 'examples.jsonl');
  return form;
}

async function open(path: string): Promise<Blob> {
  try {
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
