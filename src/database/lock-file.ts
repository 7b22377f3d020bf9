// One process per data folder: a lock file with the owner's pid, taken over when that process is gone.
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { errorsOf } from '../http/braid-error.js';
import { databaseErrors } from './database.errors.js';

const fail = errorsOf(databaseErrors);

/** A held lock; `release` may be called more than once. */
export interface FileLock {
  release(): void;
}

interface Owner {
  readonly pid: number;
  /** Start of the process in clock ticks since boot, where /proc tells; a pid that was given out again has another. */
  readonly startedAt: string | undefined;
  readonly token: string;
}

// Locks of this process: a second open in the same process must be refused as well, and the pid alone cannot tell.
const held = new Map<string, string>();

function startOf(pid: number): string | undefined {
  try {
    // Field 22 of /proc/PID/stat; the command in field 2 may hold spaces, so count from its closing bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startOf(owner.pid);
  return owner.startedAt === undefined || now === undefined || owner.startedAt === now;
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>;
    return typeof owner.pid === 'number' && typeof owner.token === 'string'
      ? { pid: owner.pid, startedAt: owner.startedAt, token: owner.token }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Creates `path` with complete content, or returns false when it exists: link() is atomic and never overwrites. */
function createExclusively(path: string, content: string): boolean {
  const draft = `${path}.${randomUUID()}`;
  const file = openSync(draft, 'wx');
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

/**
 * Takes the lock at `path`, made with its folders when absent; a lock whose process is gone is taken over.
 * @throws BraidError DATA_DIRECTORY_IN_USE
 */
export function acquireFileLock(path: string, directory: string): FileLock {
  mkdirSync(dirname(path), { recursive: true });
  const token = randomUUID();
  const content = JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid), token } satisfies Owner);
  // A few rounds: another process may take over the same stale lock between our look and our try.
  for (let round = 0; round < 5; round++) {
    if (createExclusively(path, content)) {
      held.set(path, token);
      return {
        release: () => {
          if (held.get(path) !== token) return;
          held.delete(path);
          if (readOwner(path)?.token === token) unlinkSync(path);
        },
      };
    }
    const owner = readOwner(path);
    const ours = owner?.pid === process.pid && held.get(path) !== owner.token;
    if (owner !== undefined && !ours && isAlive(owner)) throw fail('DATA_DIRECTORY_IN_USE', { directory, pid: owner.pid });
    removeStale(path, owner);
  }
  throw fail('DATA_DIRECTORY_IN_USE', { directory, pid: readOwner(path)?.pid ?? 0 });
}

/** Removes the lock only if it still is the stale one that was looked at: moved aside first, and put back if it is another's. */
function removeStale(path: string, seen: Owner | undefined): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    if (readOwner(aside)?.token !== seen?.token) linkSync(aside, path);
    unlinkSync(aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
