// Whether an adapter fits a base model, and how many pages of each class it takes there.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass, LinearModule } from '#kernels/lora/modules.js';
import { countPages } from '#kernels/lora/pages.js';
import type { Digest } from '#src/ids/ids.js';
import { fail } from './runtime.errors.js';

/** What adapters need to know of a base model's linear modules. */
export class ModuleTable {
  private readonly modules = new Map<string, LinearModule>();
  private readonly pageBytes = new Map<LinearClass, number>();

  constructor(
    modules: readonly LinearModule[],
    readonly pageRank: number,
  ) {
    for (const module of modules) {
      this.modules.set(keyOf(module), module);
      const bytes = pageRank * (module.dIn + module.dOut) * Float32Array.BYTES_PER_ELEMENT;
      this.pageBytes.set(module.class, (this.pageBytes.get(module.class) ?? 0) + bytes);
    }
  }

  find(layer: number, linearClass: LinearClass): LinearModule | undefined {
    return this.modules.get(keyOf({ layer, class: linearClass }));
  }

  /** Bytes of one page of the class in all layers. */
  bytesPerPage(linearClass: LinearClass): number {
    return this.pageBytes.get(linearClass) ?? 0;
  }
}

function keyOf({ layer, class: linearClass }: Pick<LinearModule, 'layer' | 'class'>): string {
  return `${layer}.${linearClass}`;
}

/** Pages of each class: what the module of the highest rank needs, since a page has the same number in every layer. */
export type PageCounts = ReadonlyMap<LinearClass, number>;

/**
 * At which direction of its pages an adapter's gains lie, by class; classes without gains are left out. Behind its directions in every layer, because
 * a page's place, and so its scale, is the same in all of them.
 */
export function placeGains({ modules }: CanonicalAdapter): ReadonlyMap<LinearClass, number> {
  const gained = new Set(modules.flatMap(({ class: linearClass, gain }) => (gain === undefined ? [] : [linearClass])));
  const ranksOf = (target: LinearClass): number[] => modules.flatMap(({ class: own, rank }) => (own === target ? [rank] : []));
  return new Map([...gained].map((target) => [target, Math.max(...ranksOf(target))]));
}

/**
 * Checks every module's place and shape.
 * @throws BraidError ADAPTER_MISFIT
 */
export function countAdapterPages(digest: Digest, adapter: CanonicalAdapter, table: ModuleTable): PageCounts {
  const counts = new Map<LinearClass, number>();
  const gains = placeGains(adapter);
  for (const { layer, class: linearClass, rank, scale, a, b, gain } of adapter.modules) {
    const misfit = (found: string): Error => fail('ADAPTER_MISFIT', { digest, found: `${linearClass} of layer ${layer} ${found}` });
    const module = table.find(layer, linearClass);
    if (module === undefined) throw misfit('is not in the model');
    if (!Number.isInteger(rank) || rank < 1) throw misfit(`has rank ${rank}`);
    if (!Number.isFinite(scale)) throw misfit(`has scale ${scale}`);
    if (a.length !== rank * module.dIn) throw misfit(`has ${a.length} values in A, not ${rank} × ${module.dIn}`);
    if (b.length !== module.dOut * rank) throw misfit(`has ${b.length} values in B, not ${module.dOut} × ${rank}`);
    if (gain !== undefined && gain.length !== module.dOut) throw misfit(`has ${gain.length} gains, not ${module.dOut}`);
    const directions = Math.max(rank, 1 + (gains.get(linearClass) ?? -1));
    counts.set(linearClass, Math.max(counts.get(linearClass) ?? 0, countPages(directions, table.pageRank)));
  }
  if (counts.size === 0) throw fail('ADAPTER_MISFIT', { digest, found: 'it changes no module' });
  return counts;
}

/** Bytes of adapter memory that these pages take. */
export function sizeOfPages(counts: PageCounts, table: ModuleTable): number {
  let bytes = 0;
  for (const [linearClass, count] of counts) bytes += count * table.bytesPerPage(linearClass);
  return bytes;
}
