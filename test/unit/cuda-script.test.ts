// `npm run test:cuda` on machines that cannot: it says what is missing and ends before it installs or builds anything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const library = join(root, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so');
const folder = mkdtempSync(join(tmpdir(), 'braid-cuda-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs the script where the only command on the path is an `nvidia-smi` that prints this, or none. */
function run(gpu: string | undefined): { status: number | null; stdout: string; stderr: string } {
  const command = join(folder, 'nvidia-smi');
  rmSync(command, { force: true });
  if (gpu !== undefined) writeFileSync(command, `#!/bin/sh\necho '${gpu}'\n`, { mode: 0o755 });
  return spawnSync(process.execPath, [join(root, 'test/cuda/run.js')], { encoding: 'utf8', env: { PATH: folder }, timeout: 60_000 });
}

describe('npm run test:cuda', { skip: process.platform !== 'linux' || process.arch !== 'x64' ? 'CUDA is for Linux on x64' : false }, () => {
  const refusals: readonly (readonly [name: string, gpu: string | undefined, found: RegExp])[] = [
    ['without a driver', undefined, /^There is no NVIDIA driver here: nvidia-smi cannot be run/],
    ['with a GPU that is full', 'NVIDIA A10, 550.90, 512', /^NVIDIA A10 has 512 MiB of free memory\./],
    ['with an answer that is none', 'No devices were found', /free memory\./],
  ];
  for (const [name, gpu, found] of refusals) {
    it(`ends ${name}, naming what it needs`, () => {
      const { status, stdout, stderr } = run(gpu);
      assert.equal(status, 1);
      assert.match(stderr, found);
      assert.match(stderr, /needs Linux on x64, an NVIDIA driver[^]*install\.js --onnxruntime-node-install=cuda12/);
      assert.doesNotMatch(stdout + stderr, /Installing|Building/);
    });
  }

  it('installs nothing that it was not allowed to', { skip: existsSync(library) ? 'the provider library is installed' : false }, () => {
    const { status, stderr } = run('NVIDIA A10, 550.90, 20000');
    assert.equal(status, 1);
    assert.match(stderr, /^NVIDIA A10, driver 550\.90, 20000 MiB free\.\nThe provider library is not installed/);
    assert.doesNotMatch(stderr, /Installing|Building/);
    assert.ok(!existsSync(library));
  });
});
