// The embedded database when processes die or meet: what was acknowledged stays, and a folder has one user at a time.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openDataSource } from '#src/database/open-data-source.js';
import { BraidError } from '#src/http/braid-error.js';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';

const script = fileURLToPath(new URL('../fixtures/database/write-until-killed.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'braid-crash-'));
after(() => rmSync(root, { recursive: true }));

type Child = ChildProcessByStdio<null, Readable, Readable>;

function start(dataDir: string, mode: 'write' | 'hold'): Child {
  return spawn(process.execPath, [script, dataDir, mode], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Reads lines until `isLast`; the rest is thrown away. */
async function readUntil(child: Child, isLast: (line: string) => boolean): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) if (isLast(line)) return line;
  throw new Error('the process ended before it said enough');
}

async function kill(child: Child): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('the embedded database', () => {
  it('keeps every acknowledged transaction through three kills in the middle of writing', async () => {
    const dataDir = join(root, 'killed');
    await placeEmbeddedDatabase(dataDir);
    let acknowledged = -1;
    for (let round = 0; round < 3; round++) {
      const child = start(dataDir, 'write');
      acknowledged = Number(await readUntil(child, (line) => Number(line) >= acknowledged + 40));
      await kill(child);
      const dataSource = await openDataSource({ dataDir }, []);
      try {
        const [row] = await dataSource.query<{ count: number; most: number; whole: boolean }[]>(
          `SELECT count(*)::int AS count, max(n) AS most, bool_and(length(filler) BETWEEN 2000 AND 2002 AND list = ARRAY['row ' || n]) AS whole
           FROM acknowledged`,
        );
        assert.ok(row !== undefined);
        assert.ok(row.most >= acknowledged, `row ${acknowledged} was acknowledged, ${row.most} is the last`);
        assert.equal(row.count, row.most + 1, 'no gap');
        assert.equal(row.whole, true, 'every row is whole');
        acknowledged = row.most;
      } finally {
        await dataSource.destroy();
      }
    }
  });

  it('refuses a second process with the pid of the first, and is free again when that one is killed', async () => {
    const dataDir = join(root, 'held');
    await placeEmbeddedDatabase(dataDir);
    const holder = start(dataDir, 'hold');
    await readUntil(holder, (line) => line === 'open');

    const second = start(dataDir, 'hold');
    let said = '';
    second.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [status] = (await once(second, 'close')) as [number];
    assert.equal(status, 3);
    assert.ok(said.includes(`in use by process ${holder.pid}`) && said.includes(dataDir) && said.includes('DATABASE_URL'), said);

    await assert.rejects(openDataSource({ dataDir }, []), (error) => error instanceof BraidError && error.code === 'DATA_DIRECTORY_IN_USE');
    await kill(holder);
    await (await openDataSource({ dataDir }, [])).destroy();
  });

  it('makes a database in a folder that does not exist, and gives it free when it cannot start', async () => {
    const dataDir = join(root, 'new', 'deeper');
    await (await openDataSource({ dataDir }, [])).destroy();
    // A cluster that is no cluster: the start fails, and the lock must not outlive it.
    rmSync(join(dataDir, 'database', 'cluster', 'global'), { recursive: true });
    await assert.rejects(openDataSource({ dataDir }, []), (error) => !(error instanceof BraidError));
    await assert.rejects(openDataSource({ dataDir }, []), (error) => !(error instanceof BraidError));
  });
});
