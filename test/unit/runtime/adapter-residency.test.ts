// Residency: one load for many requests, least recently used out first, held and pinned ones stay, waiting in order, and clear errors.
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

/** Adapters by name; the digit that ends the name is the pages it takes. `pinned` are names, too. */
function createBed(
  budgetPages: number,
  pinned: readonly string[] = [],
): {
  residency: AdapterResidency;
  reads: string[];
  loads: LoadCall[];
  digest: (name: string) => Digest;
  warnings: string[];
} {
  const names = new Map<Digest, string>();
  const reads: string[] = [];
  const loads: LoadCall[] = [];
  const warnings: string[] = [];
  const digest = (name: string): Digest => {
    const found = digestOf(name);
    names.set(found, name);
    return found;
  };
  const residency = new AdapterResidency({
    table,
    pinned: { digests: pinned.map(digest), warn: (unkept, error) => warnings.push(`${names.get(unkept)}: ${String(error)}`) },
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
  return { residency, reads, loads, digest, warnings };
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

test('held adapters stay; who needs their memory waits, in order, also before those who could go at once', async () => {
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

test('adapters pinned for good are there before the first request and outlast everybody else', async () => {
  const { residency, reads, digest } = createBed(4, ['p1', 'q1', 'p1']);
  await residency.keepPinned();
  assert.deepEqual(reads, ['p1', 'q1']);
  for (let i = 0; i < 20; i++) (await residency.acquire([digest(`a${i} of 1`)])).release();
  (await residency.acquire([digest('p1'), digest('q1')])).release();
  (await residency.acquire([digest('large 2')])).release();
  (await residency.acquire([digest('p1'), digest('q1')])).release();
  assert.deepEqual(
    reads.filter((name) => name === 'p1' || name === 'q1'),
    ['p1', 'q1'],
    'each was read once',
  );
  assert.equal(residency.residentBytes, 4 * PAGE_BYTES);
});

test('what needs the memory of pinned adapters is refused at once instead of waiting for ever', async () => {
  const { residency, digest } = createBed(3, ['p2']);
  await assert.rejects(residency.acquire([digest('a2')]), {
    code: 'ADAPTER_MEMORY_EXCEEDED',
    fields: { needed: 2 * PAGE_BYTES, limit: PAGE_BYTES },
  });
  (await residency.acquire([digest('a1'), digest('p2')])).release();
});

test('pinned adapters that do not fit the memory together are refused, ahead and by every request', async () => {
  const { residency, digest } = createBed(3, ['p2', 'q2']);
  const refused = { code: 'PINNED_ADAPTERS_TOO_LARGE', fields: { needed: 4 * PAGE_BYTES, limit: 3 * PAGE_BYTES } };
  await assert.rejects(residency.keepPinned(), refused);
  await assert.rejects(residency.acquire([digest('a1')]), refused);
});

test('a pinned adapter that cannot be loaded is told of, and the others stay', async () => {
  const { residency, digest, reads, warnings } = createBed(2, ['broken1', 'wide1', 'p1']);
  await residency.keepPinned();
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /^broken1: .*cannot be read from the store/);
  assert.match(warnings[1] ?? '', /^wide1: .*does not fit this base model/);
  for (const name of ['a1', 'b1', 'p1']) (await residency.acquire([digest(name)])).release();
  assert.equal(reads.filter((name) => name === 'p1').length, 1);
});

test('after the worker is lost the pinned adapters come back with the first request, before its own', async () => {
  const { residency, digest, reads, loads } = createBed(2, ['p1']);
  await residency.keepPinned();
  const old = await residency.acquire([digest('p1')]);
  residency.clear();
  (await residency.acquire([digest('a1')])).release();
  old.release();
  assert.deepEqual(reads, ['p1', 'p1', 'a1']);
  assert.deepEqual(loads.map(pagesOf), [[1], [1], [2]]);
  (await residency.acquire([digest('b1')])).release();
  (await residency.acquire([digest('p1')])).release();
  assert.equal(reads.filter((name) => name === 'p1').length, 2);
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
