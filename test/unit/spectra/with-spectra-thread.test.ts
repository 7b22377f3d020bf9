// The thread of a request: it computes what the functions do, ends in the middle when told to, and does not outlive a failure.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ThinProduct } from '#src/linear-algebra/thin-svd.js';
import { compareModules } from '#src/spectra/module-overlap.js';
import { describeSpectrum } from '#src/spectra/module-spectrum.js';
import { withSpectraThread } from '#src/spectra/with-spectra-thread.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';

function create(rank: number, dIn = 24, dOut = 16): ThinProduct {
  const random = createRandomTensors(rank);
  return { rank, scale: 1, a: Float32Array.from(random.vector(rank * dIn)), b: Float32Array.from(random.vector(dOut * rank)) };
}

test('answers as the functions do, call after call', async () => {
  const [first, second] = [create(3), create(5)];
  await withSpectraThread(new AbortController().signal, async (thread) => {
    assert.deepEqual(await thread.describeSpectrum(first), describeSpectrum(first));
    assert.deepEqual(await thread.compareModules(first, second), compareModules(first, second));
    assert.deepEqual(await thread.describeSpectrum(second), describeSpectrum(second));
  });
});

test('ends in the middle of a decomposition', async () => {
  // Seconds of work: it would answer if it were let.
  const large = create(400, 1500, 1500);
  const abort = new AbortController();
  const done = withSpectraThread(abort.signal, (thread) => {
    setTimeout(() => abort.abort(), 100);
    return thread.describeSpectrum(large);
  });
  await assert.rejects(done, { name: 'AbortError' });
});

test('fails as its user does, and as it fails itself', async () => {
  const { signal } = new AbortController();
  await assert.rejects(
    withSpectraThread(signal, () => Promise.reject(new TypeError('mine'))),
    { name: 'TypeError', message: 'mine' },
  );
  const broken = { ...create(3), rank: 3.5 };
  await assert.rejects(withSpectraThread(signal, (thread) => thread.describeSpectrum(broken)));
});
