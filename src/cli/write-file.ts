// Files that commands write: refused early where they cannot be, and with the reason.
import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CliError } from './cli-error.js';

/** @throws CliError UNWRITABLE_FILE */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Before minutes of work, not after them. @throws CliError UNWRITABLE_FILE */
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

/** A file that cannot be written, by the system's reason. */
export function unwritable(path: string, cause: unknown): CliError {
  const code = codeOf(cause);
  const reason =
    {
      ENOENT: 'its folder does not exist',
      EACCES: 'permission denied',
      EISDIR: 'it is a folder',
      EEXIST: 'it is there already',
      ENOTDIR: 'it is not in a folder',
      EROFS: 'the file system is read-only',
    }[code] ?? code;
  return new CliError('UNWRITABLE_FILE', `${path} cannot be written: ${reason}.`, undefined, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
