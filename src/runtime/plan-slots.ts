// Decides how the rows of one run name their adapter pages: one list for all rows, or a list for each.
import { isVocabularyClass, type LinearClass } from '#kernels/lora/modules.js';
import type { AdapterPlace, ClassSlots } from './worker/protocol.js';

/** An adapter in its pages, as one row uses it. */
export interface PlacedAdapter extends AdapterPlace {
  readonly weight: number;
}

export interface SlotCosts {
  /** Tokens that one run puts through each row (columns × steps). */
  readonly tokensPerRow: number;
  /** Reading one page for one row's own list costs as much as this many tokens through the page. */
  readonly copyTokens: number;
  /** A row's own small products are this much slower per token than one product for the whole batch. */
  readonly separateFactor: number;
}

/** Measured with SmolLM2's shapes on a CPU: a page takes 0.46 ms to gather and 0.004 ms a token to apply in bulk; separate lists are seldom slower. */
export const CPU_SLOT_COSTS = { copyTokens: 100, separateFactor: 1.5 } as const;

/**
 * True when all rows should read the union of their pages, with scale 0 where a row does not use a page.
 * Sharing does rows × tokens × union of work after copying the union once; separate lists do rows × tokens × longest, less efficiently, after
 * copying rows × longest pages.
 */
export function isSharingCheaper(rows: number, union: number, longest: number, costs: SlotCosts): boolean {
  const shared = union * (rows * costs.tokensPerRow + costs.copyTokens);
  const separate = rows * longest * (costs.tokensPerRow * costs.separateFactor + costs.copyTokens);
  return shared <= separate;
}

/**
 * The slots and scales of every class that some row uses.
 * @param rows what each row of the batch applies; the empty list is the base alone
 * @returns one entry per class in use, pages in ascending order so that equal rows give equal sums in any order of their parts
 */
export function planSlots(rows: readonly (readonly PlacedAdapter[])[], pageRank: number, costs: SlotCosts): ClassSlots[] {
  const perClass = new Map<LinearClass, Map<number, number>[]>();
  /** By class: pages that hold a gain, and at which of their directions. */
  const gainsOf = new Map<LinearClass, Map<number, number>>();
  for (const [row, adapters] of rows.entries()) {
    for (const { pages, gains, weight } of adapters) {
      for (const [linearClass, direction] of gains) {
        const page = pages.get(linearClass)?.[Math.floor(direction / pageRank)];
        if (page === undefined) continue;
        gainsOf.set(linearClass, (gainsOf.get(linearClass) ?? new Map<number, number>()).set(page, direction % pageRank));
      }
      for (const [linearClass, numbers] of pages) {
        let weights = perClass.get(linearClass);
        if (weights === undefined) perClass.set(linearClass, (weights = rows.map(() => new Map<number, number>())));
        for (const page of numbers) weights[row]?.set(page, weight);
      }
    }
  }
  return [...perClass].map(([linearClass, weights]) => {
    const union = [...new Set(weights.flatMap((row) => [...row.keys()]))].sort((a, b) => a - b);
    const longest = Math.max(...weights.map((row) => row.size));
    const isShared = isVocabularyClass(linearClass) || isSharingCheaper(rows.length, union.length, longest, costs);
    const lists = isShared ? [union] : weights.map((row) => [...row.keys()].sort((a, b) => a - b));
    const slots = fillSlots(linearClass, lists, weights, isShared ? union.length : longest, pageRank);
    const gains = gainsOf.get(linearClass);
    return gains === undefined ? slots : { ...slots, gainScale: fillGainScale(slots, lists, weights, gains, pageRank) };
  });
}

function fillSlots(
  linearClass: LinearClass,
  lists: readonly (readonly number[])[],
  weights: readonly ReadonlyMap<number, number>[],
  slotsPerGroup: number,
  pageRank: number,
): ClassSlots {
  // Places that a list leaves empty point at page 0, which stays zero, at scale 0.
  const slots = new BigInt64Array(lists.length * slotsPerGroup);
  for (const [group, list] of lists.entries())
    for (const [slot, page] of list.entries()) slots[group * slotsPerGroup + slot] = BigInt(page);
  const scale = new Float32Array(weights.length * slotsPerGroup * pageRank);
  for (const [row, rowWeights] of weights.entries()) {
    const list = lists[lists.length === 1 ? 0 : row] ?? [];
    for (const [slot, page] of list.entries()) {
      const start = (row * slotsPerGroup + slot) * pageRank;
      scale.fill(rowWeights.get(page) ?? 0, start, start + pageRank);
    }
  }
  return { class: linearClass, groups: lists.length, slotsPerGroup, slots, scale };
}

/** The weights once more, at the directions alone that are gains. */
function fillGainScale(
  { slotsPerGroup, scale }: ClassSlots,
  lists: readonly (readonly number[])[],
  weights: readonly ReadonlyMap<number, number>[],
  gains: ReadonlyMap<number, number>,
  pageRank: number,
): Float32Array {
  const gainScale = new Float32Array(scale.length);
  for (const [row, rowWeights] of weights.entries()) {
    const list = lists[lists.length === 1 ? 0 : row] ?? [];
    for (const [slot, page] of list.entries()) {
      const direction = gains.get(page);
      if (direction !== undefined) gainScale[(row * slotsPerGroup + slot) * pageRank + direction] = rowWeights.get(page) ?? 0;
    }
  }
  return gainScale;
}
