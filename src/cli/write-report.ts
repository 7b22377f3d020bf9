// Writes a composition's report, one page of HTML, to a file.
import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CliError } from './cli-error.js';
import { type HubClient } from './hub-client.js';

export interface WrittenReport {
  /** The path as it was given. */
  readonly output: string;
  readonly sizeBytes: number;
}

/**
 * Asks the hub for the report of a composition and writes it.
 * @throws CliError UNWRITABLE_FILE, and as `HubClient.getReport`
 */
export async function writeReport(
  hub: HubClient,
  { name, version }: { name: string; version?: string | undefined },
  output: string,
): Promise<WrittenReport> {
  const page = await hub.getReport(name, version);
  try {
    await writeFile(output, page);
  } catch (cause) {
    throw unwritable(output, cause);
  }
  return { output, sizeBytes: Buffer.byteLength(page) };
}

/** Before a search of minutes, not after it. @throws CliError UNWRITABLE_FILE */
export async function assertWritable(path: string): Promise<void> {
  try {
    const found = await stat(path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (found?.isDirectory() === true) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    await access(found === undefined ? dirname(path) : path, constants.W_OK);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): CliError {
  const code = codeOf(cause);
  const reason =
    {
      ENOENT: 'its folder does not exist',
      EACCES: 'permission denied',
      EISDIR: 'it is a folder',
      ENOTDIR: 'it is not in a folder',
      EROFS: 'the file system is read-only',
    }[code] ?? code;
  return new CliError('UNWRITABLE_FILE', `${path} cannot be written: ${reason}.`, undefined, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
