// Cuts an adapter's factors into pages of a fixed rank, so that adapters of any rank share one memory layout (S-LoRA's unified paging).

/** ΔW = scale·B·A of one module, in the canonical orientation. */
export interface LoraFactors {
  readonly rank: number;
  readonly dIn: number;
  readonly dOut: number;
  /** A [rank, dIn], row by row. */
  readonly a: Float32Array;
  /** B [dOut, rank], row by row. */
  readonly b: Float32Array;
  /** s = alpha/r, or alpha/√r for rsLoRA. Not folded into the factors: it travels with the weights of a composition. */
  readonly scale: number;
}

/** One page: `pageRank` directions of a module, the missing ones zero. */
export interface LoraPage {
  /** [pageRank, dIn] */
  readonly a: Float32Array;
  /** B transposed: [pageRank, dOut] */
  readonly b: Float32Array;
}

/** Pages that a module of this rank takes. */
export function countPages(rank: number, pageRank: number): number {
  return Math.ceil(rank / pageRank);
}

/**
 * Cuts factors into pages.
 *
 * Semantics: page i holds directions [i·pageRank, (i+1)·pageRank): rows of A as they are, columns of B as rows. Σ over pages of
 * Bpageᵀ·Apage equals B·A exactly, since padding is zero in both.
 * @throws RangeError if the factors' lengths do not fit rank, dIn and dOut, or a size is not a positive integer.
 */
export function cutIntoPages(factors: Omit<LoraFactors, 'scale'>, pageRank: number): LoraPage[] {
  const { rank, dIn, dOut, a, b } = factors;
  for (const [name, size] of Object.entries({ rank, dIn, dOut, pageRank })) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`${name} must be a positive integer, found ${size}`);
  }
  if (a.length !== rank * dIn) throw new RangeError(`A has ${a.length} values, [${rank}, ${dIn}] takes ${rank * dIn}`);
  if (b.length !== dOut * rank) throw new RangeError(`B has ${b.length} values, [${dOut}, ${rank}] takes ${dOut * rank}`);

  return Array.from({ length: countPages(rank, pageRank) }, (_, page) => {
    const first = page * pageRank;
    const count = Math.min(pageRank, rank - first);
    const pageA = new Float32Array(pageRank * dIn);
    pageA.set(a.subarray(first * dIn, (first + count) * dIn));
    const pageB = new Float32Array(pageRank * dOut);
    for (let direction = 0; direction < count; direction++) {
      for (let out = 0; out < dOut; out++) pageB[direction * dOut + out] = b[out * rank + first + direction] ?? 0;
    }
    return { a: pageA, b: pageB };
  });
}

/** One adapter's share of a linear class: what all its layers have in common, and each layer's pages. */
export interface ClassPages {
  /** Pages every layer takes: one slot list serves all layers of a class, so the largest rank counts. */
  readonly pages: number;
  /** s of the class, to be multiplied by the adapter's weight. */
  readonly scale: number;
  /** By layer; exactly `pages` each. A layer that the adapter leaves alone has no entry: its pages are zero. */
  readonly byLayer: ReadonlyMap<number, readonly LoraPage[]>;
}

/**
 * Cuts an adapter's factors of one class, all layers, so that they share slots and one scale.
 *
 * Semantics: a class has one scale for all layers, but rank_pattern and alpha_pattern may give layers their own s. The lowest layer's s
 * becomes the class's; a layer with another one carries the ratio in its B, in fp32.
 * @param byLayer factors by layer; at least one
 * @throws RangeError if `byLayer` is empty or factors do not fit their sizes
 */
export function cutClassIntoPages(byLayer: ReadonlyMap<number, LoraFactors>, pageRank: number): ClassPages {
  const layers = [...byLayer.keys()].sort((a, b) => a - b);
  const scale = byLayer.get(layers[0] ?? -1)?.scale;
  if (scale === undefined) throw new RangeError('a class needs factors of at least one layer');
  const pages = Math.max(...layers.map((layer) => countPages(byLayer.get(layer)?.rank ?? 0, pageRank)));
  const cut = new Map<number, readonly LoraPage[]>();
  for (const layer of layers) {
    const factors = byLayer.get(layer);
    if (!factors) continue;
    const ratio = factors.scale / scale;
    const b = ratio === 1 ? factors.b : factors.b.map((value) => value * ratio);
    const full = cutIntoPages({ ...factors, b }, pageRank);
    const empty = Array.from({ length: pages - full.length }, () => ({
      a: new Float32Array(pageRank * factors.dIn),
      b: new Float32Array(pageRank * factors.dOut),
    }));
    cut.set(layer, [...full, ...empty]);
  }
  return { pages, scale, byLayer: cut };
}

/**
 * The scales of one row over its slots: [slots·pageRank], each part's value repeated over its pages' ranks.
 * @param parts weight·s of each adapter and how many pages it takes, in slot order
 * @param slots length of the row's slot list; places beyond the parts' pages get 0
 * @throws RangeError if the parts take more than `slots`
 */
export function expandScales(parts: readonly { value: number; pages: number }[], slots: number, pageRank: number): Float32Array {
  const scales = new Float32Array(slots * pageRank);
  let slot = 0;
  for (const { value, pages } of parts) {
    if (slot + pages > slots) throw new RangeError(`${slots} slots hold fewer pages than the parts take`);
    scales.fill(value, slot * pageRank, (slot + pages) * pageRank);
    slot += pages;
  }
  return scales;
}
