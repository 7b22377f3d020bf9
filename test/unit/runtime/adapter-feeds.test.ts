// What a run is fed of the pages: the right directions in the right order, in place where they lie so, and copied once while nothing changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import ort from 'onnxruntime-node';
import type { LinearModule } from '#kernels/lora/modules.js';
import { createScoreCall } from '#src/runtime/run-calls.js';
import { AdapterFeeds } from '#src/runtime/worker/adapter-feeds.js';
import { PageBank } from '#src/runtime/worker/page-bank.js';
import type { ClassSlots, RunCall } from '#src/runtime/worker/protocol.js';

const RANK = 2;
const D_IN = 3;
const modules: LinearModule[] = [{ path: 'q', layer: 0, class: 'q_proj', dIn: D_IN, dOut: 1 }];

/** Pages 1…4, each full of its own number. */
function createBank(): PageBank {
  const bank = new PageBank(modules, RANK);
  for (const page of [1, 2, 3, 4]) load(bank, page, page);
  return bank;
}

function load(bank: PageBank, page: number, value: number): void {
  const [a, b] = [new Float32Array(RANK * D_IN).fill(value), new Float32Array(RANK).fill(value)];
  const adapter = { modules: [{ layer: 0, class: 'q_proj' as const, rank: RANK, scale: 1, a, b }] };
  bank.load({ pages: new Map([['q_proj', [page]]]), gains: new Map(), adapter });
}

function createFeeds(
  provider: 'cpu' | 'webgpu' = 'cpu',
  adapters: 'floats' | 'bytes' = 'floats',
  gained: ['q_proj'] | [] = [],
): AdapterFeeds {
  return new AdapterFeeds(ort.Tensor, { classes: ['q_proj'], gained, provider, adapters }, RANK);
}

function call(pages: readonly number[], groups = 1): RunCall {
  const slotsPerGroup = pages.length / groups;
  const rows = Math.max(groups, 2);
  const slots = BigInt64Array.from(pages, BigInt);
  const lora: ClassSlots[] =
    pages.length === 0 ? [] : [{ class: 'q_proj', groups, slotsPerGroup, slots, scale: new Float32Array(rows * slotsPerGroup * RANK) }];
  const pieces = Array.from({ length: rows }, (_, row) => ({ row, start: 0, end: 1, from: 1, isLast: true }));
  return createScoreCall(pieces, () => [1, 2], 1, { application: 'factored', topLogprobs: 0, lora });
}

function read(feeds: Record<string, ort.Tensor>, name: string): { dims: readonly number[]; data: Float32Array } {
  const tensor = feeds[name];
  assert.ok(tensor?.data instanceof Float32Array);
  return { dims: tensor.dims, data: tensor.data };
}

/** The pages that A's directions come from. */
function pagesOf({ data }: { data: Float32Array }): number[] {
  return Array.from({ length: data.length / (RANK * D_IN) }, (_, page) => data[page * RANK * D_IN] ?? NaN);
}

test('pages that lie in the wanted order are fed in place', () => {
  const bank = createBank();
  const a = read(createFeeds().create(call([2, 3, 4]), bank), 'loraA.0.q_proj');
  assert.deepEqual(pagesOf(a), [2, 3, 4]);
  assert.deepEqual(a.dims, [1, 6, D_IN]);
  assert.equal(a.data.buffer, bank.modules('q_proj').get(0)?.a.buffer);
});

test('other orders are copied, once while neither slots nor pages change, and into the same room', () => {
  const bank = createBank();
  const feeds = createFeeds();
  const first = read(feeds.create(call([1, 4, 0, 2], 2), bank), 'loraA.0.q_proj');
  assert.deepEqual(pagesOf(first), [1, 4, 0, 2]);
  assert.deepEqual(first.dims, [2, 4, D_IN]);
  const [b, scale] = ['loraB.0.q_proj', 'loraScale.q_proj'].map((name) => read(feeds.create(call([1, 4, 0, 2], 2), bank), name));
  assert.deepEqual(
    [b?.dims, scale?.dims],
    [
      [2, 4, 1],
      [2, 4],
    ],
  );
  assert.deepEqual([...(b?.data ?? [])], [1, 1, 4, 4, 0, 0, 2, 2]);
  assert.equal(read(feeds.create(call([1, 4, 0, 2], 2), bank), 'loraA.0.q_proj').data, first.data);

  const other = read(feeds.create(call([4, 1]), bank), 'loraA.0.q_proj');
  assert.deepEqual(pagesOf(other), [4, 1]);
  assert.equal(other.data.buffer, first.data.buffer, 'fresh memory is asked for only when there is too little');
});

test('what is loaded later is seen, in place and copied', () => {
  const bank = createBank();
  const feeds = createFeeds();
  for (const pages of [
    [1, 2],
    [2, 1],
  ]) {
    feeds.create(call(pages), bank);
    load(bank, 2, 20 + pages.length);
    load(bank, 9, 9);
    assert.deepEqual(
      pagesOf(read(feeds.create(call(pages), bank), 'loraA.0.q_proj')),
      pages.map((page) => (page === 2 ? 22 : page)),
    );
    load(bank, 2, 2);
  }
});

test('a class that no row uses is fed nothing, on WebGPU and in int8 the zero page at scale 0, and does not cost the next run its copies', () => {
  const bank = createBank();
  assert.deepEqual(read(createFeeds().create(call([]), bank), 'loraA.0.q_proj').dims, [1, 0, D_IN]);
  for (const feeds of [createFeeds('webgpu'), createFeeds('cpu', 'bytes')]) {
    const zero = feeds.create(call([]), bank);
    assert.deepEqual(pagesOf(read(zero, 'loraA.0.q_proj')), [0]);
    assert.deepEqual([...read(zero, 'loraScale.q_proj').data], [0, 0, 0, 0]);
  }

  const feeds = createFeeds();
  const { data } = read(feeds.create(call([3, 1]), bank), 'loraA.0.q_proj');
  data.fill(7);
  feeds.create(call([]), bank);
  assert.deepEqual(pagesOf(read(feeds.create(call([3, 1]), bank), 'loraA.0.q_proj')), [7, 7], 'still the copy of before');
});

test('a program with gains is fed their scale, zero where a run has none', () => {
  const [run] = [call([2])];
  const [slots] = run.lora;
  assert.ok(slots);
  const gainScale = Float32Array.of(0, 0.5, 0, -1);
  const feeds = createFeeds('cpu', 'floats', ['q_proj']);
  assert.deepEqual(read(feeds.create({ ...run, lora: [{ ...slots, gainScale }] }, createBank()), 'loraGain.q_proj'), {
    dims: [2, RANK],
    data: gainScale,
  });
  assert.deepEqual(read(feeds.create(run, createBank()), 'loraGain.q_proj').data, new Float32Array(4));
  assert.equal(createFeeds().create(run, createBank())['loraGain.q_proj'], undefined);
});
