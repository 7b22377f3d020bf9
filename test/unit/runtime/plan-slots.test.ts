// How rows share adapter pages: every row's pages at its own weights, whichever layout is chosen, and the cheaper layout chosen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinearClass } from '#kernels/lora/modules.js';
import { CPU_SLOT_COSTS, isSharingCheaper, planSlots, type PlacedAdapter, type SlotCosts } from '#src/runtime/plan-slots.js';
import type { ClassSlots } from '#src/runtime/worker/protocol.js';

const RANK = 2;
const costs: SlotCosts = { tokensPerRow: 64, copyTokens: 100, separateFactor: 1.5 };
const placed = (
  weight: number,
  pages: Partial<Record<LinearClass, number[]>>,
  gains: Partial<Record<LinearClass, number>> = {},
): PlacedAdapter => ({
  pages: new Map(Object.entries(pages) as [LinearClass, number[]][]),
  gains: new Map(Object.entries(gains) as [LinearClass, number][]),
  weight,
});

/** page → scale of one row, zero scales left out. */
function readRow(slots: ClassSlots, row: number): Record<number, number> {
  const group = slots.groups === 1 ? 0 : row;
  const found: Record<number, number> = {};
  for (let slot = 0; slot < slots.slotsPerGroup; slot++) {
    const start = (row * slots.slotsPerGroup + slot) * RANK;
    const scales = [...slots.scale.subarray(start, start + RANK)];
    assert.ok(
      scales.every((scale) => scale === scales[0]),
      'one scale per page',
    );
    if (scales[0] !== 0) found[Number(slots.slots[group * slots.slotsPerGroup + slot])] = scales[0] ?? 0;
  }
  return found;
}

test('rows of one composition at different weights share one list', () => {
  const rows = [0.5, -1].map((weight) => [placed(weight, { q_proj: [3, 1] }), placed(2 * weight, { q_proj: [7], v_proj: [2] })]);
  const plan = planSlots(rows, RANK, costs);
  assert.deepEqual(
    plan.map(({ class: c, groups, slotsPerGroup }) => [c, groups, slotsPerGroup]),
    [
      ['q_proj', 1, 3],
      ['v_proj', 1, 1],
    ],
  );
  assert.deepEqual([...(plan[0]?.slots ?? [])], [1n, 3n, 7n], 'pages in ascending order');
  assert.deepEqual(
    plan.map((slots) => readRow(slots, 1)),
    [{ 1: -1, 3: -1, 7: -2 }, { 2: -2 }],
  );
});

test('both layouts give every row its own pages and weights, and nothing to a row without adapters', () => {
  const rows = [[placed(1, { q_proj: [1, 2] })], [], [placed(0.25, { q_proj: [9] }), placed(-3, { k_proj: [4], q_proj: [5] })]];
  const expected = [{ 1: 1, 2: 1 }, {}, { 5: -3, 9: 0.25 }];
  for (const separateFactor of [0.001, 1000]) {
    const plan = planSlots(rows, RANK, { ...costs, copyTokens: 0, separateFactor });
    const queries = plan.find(({ class: c }) => c === 'q_proj');
    assert.ok(queries);
    assert.equal(queries.groups, separateFactor < 1 ? 3 : 1);
    assert.deepEqual(
      rows.map((_, row) => readRow(queries, row)),
      expected,
    );
    assert.equal(queries.slots.length, queries.groups * queries.slotsPerGroup);
    assert.equal(queries.scale.length, rows.length * queries.slotsPerGroup * RANK);
  }
});

test('rows share the embedding and the output layer, whatever separate lists would cost', () => {
  const rows = [[placed(1, { embed_tokens: [1], lm_head: [2] })], [placed(-2, { embed_tokens: [3], lm_head: [4] })]];
  const [embedding, head] = planSlots(rows, RANK, { ...costs, copyTokens: 0, separateFactor: 0.001 });
  assert.ok(embedding && head);
  for (const { groups, slotsPerGroup } of [embedding, head]) assert.deepEqual([groups, slotsPerGroup], [1, 2]);
  assert.deepEqual(
    [0, 1].map((row) => [readRow(embedding, row), readRow(head, row)]),
    [
      [{ 1: 1 }, { 2: 1 }],
      [{ 3: -2 }, { 4: -2 }],
    ],
  );
});

test('the base alone needs no slots', () => {
  assert.deepEqual(planSlots([[], []], RANK, costs), []);
});

test('the order of a mixture does not matter', () => {
  const [first, second] = [placed(1, { q_proj: [4] }), placed(2, { q_proj: [2] })];
  assert.deepEqual(planSlots([[first, second]], RANK, costs), planSlots([[second, first]], RANK, costs));
});

test('sharing pays where rows use mostly the same pages, separate lists where they use different ones', () => {
  const decode = { ...CPU_SLOT_COSTS, tokensPerRow: 4 };
  const score = { ...CPU_SLOT_COSTS, tokensPerRow: 64 };
  assert.equal(isSharingCheaper(5, 40, 40, score), true, 'one composition of twenty adapters');
  assert.equal(isSharingCheaper(16, 8, 6, score), true, 'three adapters each, two of them in common');
  assert.equal(isSharingCheaper(16, 32, 2, score), false, 'sixteen compositions over long rows');
  assert.equal(isSharingCheaper(8, 16, 2, decode), false, 'eight compositions in decode steps');
  assert.equal(isSharingCheaper(8, 2, 2, decode), true, 'eight rows of one adapter');
});

test('a gain has its weight at its own direction alone, and classes without gains have no scale for them', () => {
  // Of ranks 3 and 2 in pages of 2: the gains lie at directions 3 and 2, both the first or second of their second page.
  const rows = [[placed(0.5, { q_proj: [4, 9], v_proj: [1] }, { q_proj: 3 })], [placed(-2, { q_proj: [2, 6] }, { q_proj: 2 })]];
  for (const separateFactor of [0.001, 1000]) {
    const [queries, values] = planSlots(rows, RANK, { ...costs, copyTokens: 0, separateFactor });
    assert.ok(queries?.gainScale);
    assert.equal(values?.gainScale, undefined);
    const gains = rows.map((_, row) => {
      const list = queries.slots.subarray(queries.groups === 1 ? 0 : row * queries.slotsPerGroup).subarray(0, queries.slotsPerGroup);
      return [...list].flatMap((page, slot) => {
        const start = (row * queries.slotsPerGroup + slot) * RANK;
        return [...(queries.gainScale?.subarray(start, start + RANK) ?? [])].flatMap((scale, d) =>
          scale === 0 ? [] : [[Number(page), d, scale]],
        );
      });
    });
    assert.deepEqual(gains, [[[9, 1, 0.5]], [[6, 0, -2]]]);
  }
});
