// Adapter memory: pages of a fixed rank per layer and linear class, which the step program reads in place. Knows arrays, not ONNX Runtime.
import type { LinearClass, LinearModule } from '#kernels/lora/modules.js';
import type { LoadCall } from './protocol.js';

/** One module's pages: A [capacity, pageRank, dIn] and B transposed [capacity, pageRank, dOut]. */
export interface ModulePages {
  readonly dIn: number;
  readonly dOut: number;
  a: Float32Array;
  b: Float32Array;
}

interface ClassPages {
  capacity: number;
  /** By layer. */
  readonly modules: Map<number, ModulePages>;
}

// Growing by half copies each array a few times over its life and never holds more than half again of what is used.
const GROWTH = 1.5;

/** Page 0 of every class stays zero: empty slots point at it. */
export class PageBank {
  /** Changes with every load. */
  version = 0;
  private readonly classes = new Map<LinearClass, ClassPages>();

  constructor(
    modules: readonly LinearModule[],
    private readonly pageRank: number,
  ) {
    for (const { class: linearClass, layer, dIn, dOut } of modules) {
      let pages = this.classes.get(linearClass);
      if (pages === undefined) this.classes.set(linearClass, (pages = { capacity: 1, modules: new Map() }));
      pages.modules.set(layer, { dIn, dOut, a: new Float32Array(pageRank * dIn), b: new Float32Array(pageRank * dOut) });
    }
  }

  /** Pages that each module of the class holds, used or free. */
  capacity(linearClass: LinearClass): number {
    return this.get(linearClass).capacity;
  }

  modules(linearClass: LinearClass): ReadonlyMap<number, Readonly<ModulePages>> {
    return this.get(linearClass).modules;
  }

  /**
   * Writes an adapter into the pages given: A as it is, B transposed and times the module's own scale, so that a run's scales are the
   * mixture's weights alone. A gain lies in B as it is, beside a row of A that stays zero. Layers that the adapter leaves out become zero there.
   */
  load({ pages, gains, adapter }: LoadCall): void {
    this.version++;
    for (const [linearClass, numbers] of pages) {
      const target = this.get(linearClass);
      this.grow(target, Math.max(...numbers) + 1);
      for (const module of target.modules.values()) {
        for (const page of numbers) {
          module.a.fill(0, page * this.pageRank * module.dIn, (page + 1) * this.pageRank * module.dIn);
          module.b.fill(0, page * this.pageRank * module.dOut, (page + 1) * this.pageRank * module.dOut);
        }
      }
    }
    for (const { class: linearClass, layer, rank, scale, a, b, gain } of adapter.modules) {
      const module = this.get(linearClass).modules.get(layer);
      const numbers = pages.get(linearClass);
      if (module === undefined || numbers === undefined) throw new Error(`no pages for ${linearClass} of layer ${layer}`);
      const { dIn, dOut } = module;
      const placeOf = (direction: number): number => {
        const page = numbers[Math.floor(direction / this.pageRank)];
        if (page === undefined) throw new Error(`too few pages for direction ${direction}`);
        return page * this.pageRank + (direction % this.pageRank);
      };
      if (gain !== undefined) module.b.set(gain, placeOf(gains.get(linearClass) ?? rank) * dOut);
      for (let direction = 0; direction < rank; direction++) {
        const place = placeOf(direction);
        module.a.set(a.subarray(direction * dIn, (direction + 1) * dIn), place * dIn);
        const target = module.b.subarray(place * dOut, (place + 1) * dOut);
        for (let out = 0; out < dOut; out++) target[out] = scale * (b[out * rank + direction] ?? 0);
      }
    }
  }

  private grow(pages: ClassPages, needed: number): void {
    if (needed <= pages.capacity) return;
    const capacity = Math.max(needed, Math.ceil(pages.capacity * GROWTH));
    for (const module of pages.modules.values()) {
      const a = new Float32Array(capacity * this.pageRank * module.dIn);
      a.set(module.a);
      module.a = a;
      const b = new Float32Array(capacity * this.pageRank * module.dOut);
      b.set(module.b);
      module.b = b;
    }
    pages.capacity = capacity;
  }

  private get(linearClass: LinearClass): ClassPages {
    const pages = this.classes.get(linearClass);
    if (pages === undefined) throw new Error(`the model has no ${linearClass}`);
    return pages;
  }
}
