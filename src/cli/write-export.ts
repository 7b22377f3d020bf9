// Writes an export's files where the person said, whole or not at all: beside their place first, then renamed into it.
import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CliError } from './cli-error.js';
import { type HubClient } from './hub-client.js';
import { type ExportView } from './hub-views.js';
import { unwritable } from './write-file.js';

export interface ExportTarget {
  /** Otherwise it is one file. */
  readonly isFolder: boolean;
  /** Files that are there may be replaced. */
  readonly force: boolean;
}

export interface WriteExportOptions extends ExportTarget {
  readonly out: string;
  readonly rank: number | undefined;
  readonly onBytes: (done: number, total: number) => void;
}

// A plain name: whatever a hub says, nothing is written elsewhere.
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$/;

/** Before anything is asked for. @throws CliError FILE_EXISTS, UNWRITABLE_FILE */
export async function assertExportTarget(out: string, { isFolder, force }: ExportTarget): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found === undefined) {
    await access(dirname(resolve(out)), constants.W_OK).catch((cause: unknown) => {
      throw unwritable(out, cause);
    });
    return;
  }
  if (found.isDirectory() !== isFolder) throw unwritable(out, Object.assign(new Error(), { code: isFolder ? 'ENOTDIR' : 'EISDIR' }));
  if (force || (isFolder && (await readdir(out)).length === 0)) return;
  throw new CliError('FILE_EXISTS', `${out} is there already. Name another place with --out, or let it be replaced with --force.`);
}

/**
 * Fetches every file of the export. Others in the folder stay as they are.
 * @throws CliError UNWRITABLE_FILE, TRANSFER_BROKEN, and as `HubClient.exportFile`
 */
export async function writeExport(hub: HubClient, found: ExportView, { out, isFolder, rank, onBytes }: WriteExportOptions): Promise<void> {
  const target = resolve(out);
  const draft = join(dirname(target), `.${basename(target)}.${randomUUID()}.partial`);
  const total = found.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let before = 0;
  try {
    await mkdir(draft);
    for (const { name, sizeBytes } of found.files) {
      if (!PLAIN_NAME.test(name)) throw new CliError('NOT_A_HUB', `The hub names a file ${JSON.stringify(name)}, which no export has.`);
      const bytes = hub.exportFile(found.name, found.format, name, { version: found.version, rank });
      const written = await writeBytes(join(draft, name), bytes, (done) => onBytes(before + done, total));
      if (written !== sizeBytes) {
        throw new CliError('TRANSFER_BROKEN', `${name} ended after ${written} of ${sizeBytes} bytes. Try again; the hub's log says why.`);
      }
      before += sizeBytes;
    }
    if (isFolder) await moveInto(draft, target);
    else await rename(join(draft, found.files[0]?.name ?? ''), target);
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? unwritable(out, cause) : cause;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function writeBytes(path: string, bytes: AsyncIterable<Uint8Array>, onBytes: (done: number) => void): Promise<number> {
  const handle = await open(path, 'wx');
  try {
    let done = 0;
    for await (const piece of bytes) {
      await handle.writeFile(piece);
      done += piece.byteLength;
      onBytes(done);
    }
    await handle.sync();
    return done;
  } finally {
    await handle.close();
  }
}

/** A new folder appears whole; in one that is there each file does. */
async function moveInto(draft: string, target: string): Promise<void> {
  const isThere = await stat(target).catch(() => undefined);
  if (isThere === undefined) {
    await rename(draft, target);
    return;
  }
  for (const name of await readdir(draft)) await rename(join(draft, name), join(target, name));
}
