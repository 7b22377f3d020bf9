// Adapter pages: ΔW of any rank and scale reads back from its pages, pages are reused clean, page 0 stays zero.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass, LinearModule } from '#kernels/lora/modules.js';
import { PageBank } from '#src/runtime/worker/page-bank.js';

const PAGE_RANK = 4;
const D_IN = 5;
const modules: LinearModule[] = [0, 1].flatMap((layer) => [
  { path: `${layer}.q`, layer, class: 'q_proj' as const, dIn: D_IN, dOut: 3 },
  { path: `${layer}.v`, layer, class: 'v_proj' as const, dIn: D_IN, dOut: 2 },
]);

function createModule(layer: number, linearClass: LinearClass, rank: number, scale: number): CanonicalModule {
  const dOut = linearClass === 'q_proj' ? 3 : 2;
  const numbers = (count: number, seed: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7));
  return { layer, class: linearClass, rank, scale, a: numbers(rank * D_IN, layer + rank), b: numbers(dOut * rank, scale) };
}

/** s·B·A in float64. */
function expectedDelta({ rank, scale, a, b }: CanonicalModule): number[] {
  const dOut = b.length / rank;
  return Array.from({ length: dOut * D_IN }, (_, i) => {
    const [out, column] = [Math.floor(i / D_IN), i % D_IN];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (b[out * rank + r] ?? 0) * (a[r * D_IN + column] ?? 0);
    return scale * sum;
  });
}

/** Σ over pages of Bpageᵀ·Apage. */
function readDelta(bank: PageBank, linearClass: LinearClass, layer: number, pages: readonly number[]): number[] {
  const module = bank.modules(linearClass).get(layer);
  assert.ok(module !== undefined);
  return Array.from({ length: module.dOut * D_IN }, (_, i) => {
    const [out, column] = [Math.floor(i / D_IN), i % D_IN];
    let sum = 0;
    for (const page of pages) {
      for (let r = 0; r < PAGE_RANK; r++) {
        const place = page * PAGE_RANK + r;
        sum += (module.b[place * module.dOut + out] ?? NaN) * (module.a[place * D_IN + column] ?? NaN);
      }
    }
    return sum;
  });
}

function assertClose(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries()) assert.ok(Math.abs((found[i] ?? NaN) - value) < 1e-5, `${found[i]} for ${value}`);
}

test('every module reads back from its pages, in scattered pages and with ranks of its own', () => {
  const bank = new PageBank(modules, PAGE_RANK);
  const adapter = { modules: [createModule(0, 'q_proj', 6, 2), createModule(1, 'q_proj', 1, -0.5), createModule(1, 'v_proj', 4, 3)] };
  const pages = new Map<LinearClass, number[]>([
    ['q_proj', [7, 2]],
    ['v_proj', [1]],
  ]);
  bank.load({ pages, gains: new Map(), adapter });
  for (const module of adapter.modules)
    assertClose(readDelta(bank, module.class, module.layer, pages.get(module.class) ?? []), expectedDelta(module));
  assertClose(readDelta(bank, 'v_proj', 0, [1]), new Array<number>(2 * D_IN).fill(0));
});

test('pages that held another adapter hold nothing of it, and growing keeps what others hold', () => {
  const bank = new PageBank(modules, PAGE_RANK);
  const kept = createModule(0, 'q_proj', 8, 1);
  bank.load({ pages: new Map([['q_proj', [1, 2]]]), gains: new Map(), adapter: { modules: [kept] } });
  bank.load({
    pages: new Map([['q_proj', [3, 4]]]),
    gains: new Map(),
    adapter: { modules: [createModule(0, 'q_proj', 8, 1), createModule(1, 'q_proj', 8, 1)] },
  });
  const next = createModule(1, 'q_proj', 2, 5);
  bank.load({ pages: new Map([['q_proj', [4]]]), gains: new Map(), adapter: { modules: [next] } });
  bank.load({ pages: new Map([['q_proj', [40]]]), gains: new Map(), adapter: { modules: [createModule(0, 'q_proj', 4, 9)] } });
  assertClose(readDelta(bank, 'q_proj', 0, [1, 2]), expectedDelta(kept));
  assertClose(readDelta(bank, 'q_proj', 1, [4]), expectedDelta(next));
  assertClose(readDelta(bank, 'q_proj', 0, [4]), new Array<number>(3 * D_IN).fill(0));
  for (const { a, b } of bank.modules('q_proj').values()) {
    assert.ok(
      a.subarray(0, PAGE_RANK * D_IN).every((value) => value === 0) && b.subarray(0, PAGE_RANK * 3).every((value) => value === 0),
      'page 0',
    );
    assert.equal(a.length, bank.capacity('q_proj') * PAGE_RANK * D_IN);
  }
});

test('a gain lies behind the directions in B, unscaled, and adds nothing to the delta', () => {
  const bank = new PageBank(modules, PAGE_RANK);
  const [first, second] = [createModule(0, 'q_proj', 2, 5), createModule(1, 'q_proj', 4, 3)];
  const gain = Float32Array.of(0.5, -0.25, 2);
  bank.load({ pages: new Map([['q_proj', [3, 1]]]), gains: new Map([['q_proj', 4]]), adapter: { modules: [{ ...first, gain }, second] } });
  assertClose(readDelta(bank, 'q_proj', 0, [3, 1]), expectedDelta(first));
  assertClose(readDelta(bank, 'q_proj', 1, [3, 1]), expectedDelta(second));
  const gainOf = (layer: number) => [
    ...(bank
      .modules('q_proj')
      .get(layer)
      ?.b.subarray(PAGE_RANK * 3, (PAGE_RANK + 1) * 3) ?? []),
  ];
  assert.deepEqual([gainOf(0), gainOf(1)], [[...gain], [0, 0, 0]]);
});
