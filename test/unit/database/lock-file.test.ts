// The lock of a data folder: one holder, stale locks taken over, also when the pid was given out again.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { acquireFileLock } from '#src/database/lock-file.js';
import { BraidError } from '#src/http/braid-error.js';

const root = mkdtempSync(join(tmpdir(), 'braid-lock-'));
after(() => rmSync(root, { recursive: true }));

let path = '';
let round = 0;
beforeEach(() => {
  path = join(root, String(round++), 'lock');
});

function isInUse(error: unknown): boolean {
  return error instanceof BraidError && error.code === 'DATA_DIRECTORY_IN_USE' && error.message.includes('/the/data');
}

/** The pid of a process that has ended. */
function endedPid(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}

describe('acquireFileLock', () => {
  it('refuses a second holder in the same process until the first releases', () => {
    const lock = acquireFileLock(path, '/the/data');
    assert.throws(() => acquireFileLock(path, '/the/data'), isInUse);
    lock.release();
    lock.release();
    const again = acquireFileLock(path, '/the/data');
    again.release();
    assert.deepEqual(readdirSync(join(path, '..')), [], 'nothing is left behind');
  });
  it('refuses while another process lives, and names it', () => {
    const lock = acquireFileLock(path, '/the/data');
    const content = readFileSync(path, 'utf8');
    lock.release();
    // The parent of this process is alive; without its start time only the pid speaks.
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(content) as object), pid: process.ppid, startedAt: undefined }));
    assert.throws(
      () => acquireFileLock(path, '/the/data'),
      (error: Error) => isInUse(error) && error.message.includes(String(process.ppid)),
    );
  });
  const stale: [string, () => string][] = [
    ['of a process that has ended', () => JSON.stringify({ pid: endedPid(), startedAt: '1', token: 't' })],
    ['of an earlier process with our pid', () => JSON.stringify({ pid: process.pid, startedAt: '1', token: 't' })],
    ['that is cut short', () => '{"pid":'],
    ['that is empty', () => ''],
  ];
  if (existsSync('/proc/self/stat')) {
    stale.push(['whose pid another process has by now', () => JSON.stringify({ pid: process.ppid, startedAt: '1', token: 't' })]);
  }
  for (const [what, content] of stale) {
    it(`takes over a lock ${what}`, () => {
      acquireFileLock(path, '/the/data').release();
      writeFileSync(path, content());
      const lock = acquireFileLock(path, '/the/data');
      assert.equal((JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid, process.pid);
      lock.release();
      assert.equal(existsSync(path), false);
    });
  }
  it('does not remove a lock that someone else holds by now', () => {
    const lock = acquireFileLock(path, '/the/data');
    writeFileSync(path, JSON.stringify({ pid: process.ppid, token: 'other' }));
    lock.release();
    assert.equal(existsSync(path), true);
  });
});
