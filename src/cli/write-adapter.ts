// Writes an adapter that a command made as the folder that PEFT loads.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type MadeAdapter } from './adapter-form.js';
import { unwritable } from './write-file.js';

/**
 * The folder is made where it is absent; files that are there are not replaced.
 * @throws CliError UNWRITABLE_FILE
 */
export async function writeAdapter(directory: string, { config, weights, card }: MadeAdapter): Promise<void> {
  await makeFolder(directory);
  const files = [
    ['adapter_config.json', config],
    ['adapter_model.safetensors', weights],
    ['README.md', card],
  ] as const;
  for (const [file, content] of files) {
    const path = join(directory, file);
    try {
      await writeFile(path, content, { flag: 'wx' });
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }
}

/** Before minutes of work. @throws CliError UNWRITABLE_FILE */
export async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
}
