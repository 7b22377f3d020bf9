// The embedded home: PGlite behind node-postgres, so that both homes share one client and its parsing of types.
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { acquireFileLock } from './lock-file.js';

// Queries take milliseconds: who waits this long for the one client waits for itself, by querying beside its own transaction.
const MAX_WAIT_MS = 30_000;

/** What TypeORM needs of the module `pg`, and a way to close a database whose pool was never made. */
export interface EmbeddedDriver {
  readonly Pool: typeof pg.Pool;
  /** Closes the database and gives the folder free; again is harmless. */
  close(): Promise<void>;
}

/**
 * A stand-in for the module `pg` whose only pool is the database in `directory`; ending the pool closes the database.
 * The pool has one client, as PGlite has one session: whoever holds it (a transaction, say) makes the others wait, so transactions
 * cannot interleave. Code in a transaction must therefore query through that transaction only.
 * @throws BraidError DATA_DIRECTORY_IN_USE
 */
export async function createEmbeddedDriver(directory: string): Promise<EmbeddedDriver> {
  const root = resolve(directory);
  mkdirSync(root, { recursive: true });
  const lock = acquireFileLock(join(root, 'lock'), root);
  let pglite: PGlite;
  try {
    pglite = await PGlite.create({ dataDir: join(root, 'cluster') });
  } catch (error) {
    lock.release();
    throw error;
  }
  const { connection } = createPgConfig(pglite);
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= pglite.close().finally(() => lock.release()));

  class EmbeddedPool extends pg.Pool {
    constructor(options: pg.PoolConfig) {
      // idleTimeoutMillis 0: an idle client costs nothing here, ending it would only cost a reconnect.
      super({ ...options, max: 1, idleTimeoutMillis: 0, connectionTimeoutMillis: MAX_WAIT_MS, connection } as pg.PoolConfig);
    }

    override end(): Promise<void>;
    override end(callback: (error?: Error) => void): void;
    override end(callback?: (error?: Error) => void): Promise<void> | void {
      const ended = super.end().finally(close);
      if (callback === undefined) return ended;
      ended.then(
        () => callback(),
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
      );
    }
  }
  return { Pool: EmbeddedPool, close };
}
