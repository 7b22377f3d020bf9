// Objects as files below one folder; a file appears under its name only when it is complete and on the disk.
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorsOf } from '../http/braid-error.js';
import { exactLength } from './exact-length.js';
import { checkedKey } from './keys.js';
import { type ObjectInfo, type ObjectStore } from './object-store.js';
import { storageErrors } from './storage.errors.js';

const fail = errorsOf(storageErrors);

const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export class FileObjectStore implements ObjectStore {
  private readonly root: string;
  // Beside the objects, hence on the same file system: rename is atomic there.
  private readonly drafts: string;

  constructor(directory: string) {
    this.root = resolve(directory);
    this.drafts = join(this.root, '.drafts');
  }

  /** Makes the folders and throws away what interrupted uploads left long ago; younger drafts may be another hub's. */
  async open(): Promise<void> {
    await mkdir(this.drafts, { recursive: true });
    for (const name of await readdir(this.drafts)) {
      const draft = join(this.drafts, name);
      const draftStat = await stat(draft).catch(() => undefined);
      if (draftStat !== undefined && Date.now() - draftStat.mtimeMs > ABANDONED_AFTER_MS) await rm(draft, { force: true });
    }
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.publish(key, async (draft) => {
      const handle = await open(draft, 'wx');
      try {
        await handle.writeFile(body);
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  async putStream(key: string, body: Readable, sizeBytes: number): Promise<void> {
    await this.publish(key, async (draft) => {
      const file = createWriteStream(draft, { flags: 'wx', flush: true });
      const closed = new Promise<void>((resolve) => file.once('close', () => resolve()));
      try {
        await pipeline(body, exactLength(sizeBytes), file);
      } finally {
        // A body may fail before the file is open: the file would appear after the draft was removed.
        await closed;
      }
    });
  }

  async get(key: string): Promise<Buffer> {
    try {
      return await readFile(this.path(key));
    } catch (error) {
      throw isMissing(error) ? fail('OBJECT_MISSING', { key }, error) : error;
    }
  }

  async getStream(key: string): Promise<Readable> {
    try {
      // Opened here so that an absent object is an error of this call, not of the stream.
      const handle = await open(this.path(key), 'r');
      return createReadStream('', { fd: handle });
    } catch (error) {
      throw isMissing(error) ? fail('OBJECT_MISSING', { key }, error) : error;
    }
  }

  async find(key: string): Promise<ObjectInfo | undefined> {
    try {
      const { size } = await stat(this.path(key));
      return { sizeBytes: size };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  async ping(): Promise<void> {
    await stat(this.drafts);
  }

  private path(key: string): string {
    return join(this.root, checkedKey(key));
  }

  private async publish(key: string, write: (draft: string) => Promise<void>): Promise<void> {
    const path = this.path(key);
    const draft = join(this.drafts, randomUUID());
    try {
      await write(draft);
      await mkdir(dirname(path), { recursive: true });
      await rename(draft, path);
      await syncDirectory(dirname(path));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }
}
