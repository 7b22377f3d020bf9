// Reads configuration files of a model directory with a limit, and says plainly what the file system refuses.
import { open } from 'node:fs/promises';

/** The file is absent, unreadable or too large; `message` says which, in a few words. */
export class FileRefusedError extends Error {
  override readonly name = 'FileRefusedError';
}

/**
 * The file's bytes.
 * @throws FileRefusedError
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      if (size > maxBytes) throw new FileRefusedError(`it has ${size} bytes, at most ${maxBytes} are read`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof FileRefusedError ? error : new FileRefusedError(describeFileError(error), { cause: error });
  }
}

/**
 * Parses JSON.
 * @throws FileRefusedError
 */
export async function readSmallJson(path: string, maxBytes: number): Promise<unknown> {
  const bytes = await readSmallFile(path, maxBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FileRefusedError('it is not JSON', { cause });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'the hub may not read it',
  EPERM: 'the hub may not read it',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the path is too long',
};

/** A file system error in a few words, without the path. */
export function describeFileError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? `the file system answers ${code === '' ? 'with an error' : code}`;
}
