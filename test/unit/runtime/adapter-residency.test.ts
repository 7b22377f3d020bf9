// Residency: one load for many requests, least recently used out first, pinned ones stay, waiting in order, and clear errors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { digestOf, type Digest } from '#src/ids/ids.js';
import { ModuleTable } from '#src/runtime/adapter-fit.js';
import { AdapterResidency } from '#src/runtime/adapter-residency.js';
import type { LoadCall } from '#src/runtime/worker/protocol.js';

const PAGE_RANK = 2;
const table = new ModuleTable([{ path: 'q', layer: 0, class: 'q_proj', dIn: 3, dOut: 1 }], PAGE_RANK);
const PAGE_BYTES = PAGE_RANK * 4 * 4;

const createAdapter = (rank: number): CanonicalAdapter => ({
  modules: [{ layer: 0, class: 'q_proj', rank, scale: 1, a: new Float32Array(rank * 3), b: new Float32Array(rank) }],
});

/** Adapters by name; the digit that ends the name is the pages it takes. */
function createBed(budgetPages: number): {
  residency: AdapterResidency;
  reads: string[];
  loads: LoadCall[];
  digest: (name: string) => Digest;
} {
  const names = new Map<Digest, string>();
  const reads: string[] = [];
  const loads: LoadCall[] = [];
  const residency = new AdapterResidency({
    table,
    budgetBytes: budgetPages * PAGE_BYTES,
    load: (call) => loads.push(call),
    source: {
      load: async (wanted) => {
        const name = names.get(wanted) ?? '';
        reads.push(name);
        await sleep(1);
        if (name.startsWith('broken')) throw new Error('disk on fire');
        if (name.startsWith('wide')) return { modules: createAdapter(1).modules.map((module) => ({ ...module, a: new Float32Array(7) })) };
        return createAdapter(Number(name.at(-1)) * PAGE_RANK);
      },
    },
  });
  const digest = (name: string): Digest => {
    const found = digestOf(name);
    names.set(found, name);
    return found;
  };
  return { residency, reads, loads, digest };
}

const pagesOf = (call: LoadCall | undefined): readonly number[] => call?.pages.get('q_proj') ?? [];

test('requests at the same time load an adapter once, and later ones not at all', async () => {
  const { residency, reads, loads, digest } = createBed(4);
  const holds = await Promise.all([1, 2, 3].map(() => residency.acquire([digest('a1'), digest('b1'), digest('a1')])));
  for (const hold of holds) hold.release();
  (await residency.acquire([digest('a1')])).release();
  assert.deepEqual(reads.sort(), ['a1', 'b1']);
  assert.equal(loads.length, 2);
  assert.deepEqual(loads.map(pagesOf), [[1], [2]], 'page 0 is nobody’s');
  assert.equal(residency.residentBytes, 2 * PAGE_BYTES);
});

test('the least recently used adapter goes first, and its pages are used again', async () => {
  const { residency, reads, loads, digest } = createBed(3);
  for (const name of ['a1', 'b1', 'c1', 'a1', 'd1', 'a1', 'b1']) (await residency.acquire([digest(name)])).release();
  assert.deepEqual(reads, ['a1', 'b1', 'c1', 'd1', 'b1'], 'd took the place of b, then b that of c');
  assert.deepEqual(loads.map(pagesOf), [[1], [2], [3], [2], [3]]);
});

test('pinned adapters stay; who needs their memory waits, in order, also before those who could go at once', async () => {
  const { residency, digest } = createBed(3);
  const first = await residency.acquire([digest('a2')]);
  const second = await residency.acquire([digest('b1')]);
  const order: string[] = [];
  const large = residency.acquire([digest('c3')]).then((hold) => {
    order.push('large');
    hold.release();
  });
  await sleep(10);
  const later = residency.acquire([digest('b1')]).then((hold) => {
    order.push('later');
    hold.release();
  });
  await sleep(10);
  assert.deepEqual(order, []);
  first.release();
  first.release();
  await sleep(10);
  assert.deepEqual(order, [], 'releasing twice frees once');
  second.release();
  await Promise.all([large, later]);
  assert.deepEqual(order, ['large', 'later']);
});

test('a request that can never fit is refused and pushes nobody out', async () => {
  const { residency, reads, digest } = createBed(3);
  (await residency.acquire([digest('a2')])).release();
  await assert.rejects(residency.acquire([digest('b1'), digest('c1'), digest('d2')]), {
    code: 'ADAPTER_MEMORY_EXCEEDED',
    fields: { needed: 4 * PAGE_BYTES, limit: 3 * PAGE_BYTES },
  });
  (await residency.acquire([digest('a2')])).release();
  assert.equal(reads.filter((name) => name === 'a2').length, 1);
});

test('an adapter that cannot be read or does not fit fails its request alone and leaves nothing pinned', async () => {
  const { residency, digest } = createBed(2);
  await assert.rejects(residency.acquire([digest('a1'), digest('broken1')]), { code: 'ADAPTER_UNREADABLE' });
  await assert.rejects(residency.acquire([digest('a1'), digest('wide1')]), {
    code: 'ADAPTER_MISFIT',
    message: /q_proj of layer 0 has 7 values in A, not 1 × 3/,
  });
  (await residency.acquire([digest('b2')])).release();
});

test('a waiting request that is aborted leaves the queue', async () => {
  const { residency, digest } = createBed(1);
  const hold = await residency.acquire([digest('a1')]);
  const controller = new AbortController();
  const waiting = residency.acquire([digest('b1')], controller.signal);
  await sleep(10);
  controller.abort();
  await assert.rejects(waiting, { code: 'REQUEST_CANCELLED' });
  const next = residency.acquire([digest('c1')]);
  hold.release();
  (await next).release();
});

test('after the worker is lost everything is loaded again, and old holds release nothing', async () => {
  const { residency, loads, digest } = createBed(2);
  const old = await residency.acquire([digest('a1')]);
  const waiting = residency.acquire([digest('b2')]);
  await sleep(10);
  residency.clear();
  await assert.rejects(waiting, { code: 'WORKER_CRASHED' });
  const hold = await residency.acquire([digest('a1')]);
  old.release();
  const blocked = residency.acquire([digest('b2')]);
  await sleep(10);
  assert.equal(loads.length, 2, 'a is still pinned by its new hold');
  hold.release();
  (await blocked).release();
});

test('adapters made of others push out each other, not those that were published', async () => {
  const { residency, reads, loads, digest } = createBed(8);
  (await residency.acquire([digest('x1'), digest('y1')])).release();
  const parts = [
    { digest: digest('a1'), weight: 0.5 },
    { digest: digest('b1'), weight: 2 },
  ];
  for (let i = 0; i < 9; i++) {
    const combined = digestOf(`combined ${i}`);
    (await residency.acquire([combined], undefined, new Map([[combined, parts]]))).release();
    assert.ok(residency.residentBytes <= 4 * PAGE_BYTES, 'two published, and combined ones in a quarter of eight pages');
  }
  assert.equal(loads.length, 11);
  assert.deepEqual(reads, ['x1', 'y1', 'a1', 'b1'], 'parts are read once');
  (await residency.acquire([digest('x1'), digest('y1')])).release();
  assert.equal(reads.length, 4, 'the published ones stayed');
});

test('what has no common factor space is refused with the parts', async () => {
  const { residency, digest } = createBed(8);
  const combined = digestOf('combined');
  const parts = [digest('a1'), digest('b2')].map((part) => ({ digest: part, weight: 1 }));
  await assert.rejects(residency.acquire([combined], undefined, new Map([[combined, parts]])), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'FACTORS_DIFFER');
    assert.ok(error.message.startsWith(`${digest('a1')} and ${digest('b2')} cannot`));
    return true;
  });
});
