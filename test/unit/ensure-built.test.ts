// A clone that borrows its node_modules must not empty them for their owner.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../bin/ensure-built.js', import.meta.url));
const sandbox = mkdtempSync(join(tmpdir(), 'braid-clone-'));
after(() => rmSync(sandbox, { recursive: true }));

/** Runs the script in a clone with a lock file, and an npm that says that it ran. */
function ensureBuilt(clone: string): { status: number | null; said: string; didInstall: boolean } {
  mkdirSync(join(clone, 'bin'), { recursive: true });
  copyFileSync(script, join(clone, 'bin', 'ensure-built.js'));
  writeFileSync(join(clone, 'package.json'), '{"type":"module"}');
  writeFileSync(join(clone, 'package-lock.json'), '{}');
  writeFileSync(join(clone, 'npm'), `#!/bin/sh\ntouch '${join(clone, 'installed')}'\nexit 3\n`, { mode: 0o755 });
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', "(await import('./bin/ensure-built.js')).ensureBuilt()"], {
    cwd: clone,
    env: { PATH: `${clone}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  return { status: run.status, said: run.stderr, didInstall: existsSync(join(clone, 'installed')) };
}

describe('ensureBuilt', () => {
  it('refuses to install into somebody else’s folder, and says whose it is and what to do', () => {
    const owner = join(sandbox, 'owner', 'node_modules');
    mkdirSync(owner, { recursive: true });
    writeFileSync(join(owner, '.package-lock.json'), '{}');
    utimesSync(join(owner, '.package-lock.json'), 0, 0);
    for (const [name, target] of [
      ['older', owner],
      ['gone', join(sandbox, 'nowhere')],
    ] as const) {
      const clone = join(sandbox, name);
      mkdirSync(clone);
      symlinkSync(target, join(clone, 'node_modules'));
      const { status, said, didInstall } = ensureBuilt(clone);
      assert.deepEqual([status, didInstall], [1, false], said);
      assert.match(said, /node_modules is a symbolic link to .*Run "npm ci" in the clone .* or remove the link/);
      assert.ok(said.includes(name === 'older' ? owner : 'a folder that is not there'), said);
    }
  });

  it('installs where there is no folder, or one of the clone’s own', () => {
    const clone = join(sandbox, 'own');
    mkdirSync(join(clone, 'node_modules'), { recursive: true });
    const { status, didInstall } = ensureBuilt(clone);
    assert.deepEqual([status, didInstall], [3, true], 'with the status of npm');
  });
});
