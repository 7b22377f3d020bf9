// Turns a call's slots and scales into program inputs, over pages in place or, where inputs are uploaded at every run, over the pages it names.
import type { LinearClass } from '#kernels/lora/modules.js';
import type { Tensor, TensorConstructor } from 'onnxruntime-node';
import type { ModulePages, PageBank } from './page-bank.js';
import type { ClassSlots, Provider, RunCall } from './protocol.js';

type Feeds = Record<string, Tensor>;

/** The pages of one class as a run is fed them. */
interface FedPages {
  readonly version: number;
  /** The page numbers that were picked, joined; undefined when all pages are fed in place. */
  readonly picked: string | undefined;
  readonly tensors: Feeds;
}

export class AdapterFeeds {
  private readonly fed = new Map<LinearClass, FedPages>();
  /** The CPU reads inputs in place. Elsewhere they are copied to the device at every run, and so should be few. */
  private readonly isInPlace: boolean;

  constructor(
    private readonly createTensor: TensorConstructor,
    private readonly program: { readonly classes: readonly LinearClass[]; readonly pageRank: number; readonly provider: Provider },
  ) {
    this.isInPlace = program.provider === 'cpu';
  }

  clear(): void {
    this.fed.clear();
  }

  create(call: RunCall, bank: PageBank): Feeds {
    const { classes, pageRank } = this.program;
    const rows = call.application === 'merged' ? 1 : call.rows;
    const feeds: Feeds = {};
    for (const linearClass of classes) {
      const used = call.lora.find((slots) => slots.class === linearClass) ?? this.createUnused(linearClass, rows);
      const { slots, groups, slotsPerGroup, scale } = used;
      const pages = this.isInPlace ? undefined : [...new Set(slots)].map(Number).sort((a, b) => a - b);
      const places = new Map(pages?.map((page, place) => [BigInt(page), BigInt(place)]));
      const fedSlots = pages === undefined ? slots : slots.map((page) => places.get(page) ?? 0n);
      feeds[`loraSlots.${linearClass}`] = new this.createTensor('int64', fedSlots, [groups, slotsPerGroup]);
      feeds[`loraScale.${linearClass}`] = new this.createTensor('float32', scale, [rows, slotsPerGroup * pageRank]);
      Object.assign(feeds, this.getPages(linearClass, pages, bank));
    }
    return feeds;
  }

  /** No slots on the CPU: the layers then cost nothing. WebGPU does not survive empty tensors, so there it is the zero page at scale 0. */
  private createUnused(linearClass: LinearClass, rows: number): ClassSlots {
    const slotsPerGroup = this.isInPlace ? 0 : 1;
    const slots = new BigInt64Array(slotsPerGroup);
    return { class: linearClass, groups: 1, slotsPerGroup, slots, scale: new Float32Array(rows * slotsPerGroup * this.program.pageRank) };
  }

  private getPages(linearClass: LinearClass, pages: readonly number[] | undefined, bank: PageBank): Feeds {
    const picked = pages?.join();
    const known = this.fed.get(linearClass);
    // In place, a tensor sees what is written into its pages; only new arrays need new tensors.
    const version = pages === undefined ? bank.capacity(linearClass) : bank.version;
    if (known?.version === version && known.picked === picked) return known.tensors;
    const tensors: Feeds = {};
    for (const [layer, module] of bank.modules(linearClass)) {
      tensors[`loraA.${layer}.${linearClass}`] = this.createPageTensor(module, 'a', pages);
      tensors[`loraB.${layer}.${linearClass}`] = this.createPageTensor(module, 'b', pages);
    }
    this.fed.set(linearClass, { version, picked, tensors });
    return tensors;
  }

  private createPageTensor(module: Readonly<ModulePages>, factor: 'a' | 'b', pages: readonly number[] | undefined): Tensor {
    const { pageRank } = this.program;
    const width = factor === 'a' ? module.dIn : module.dOut;
    const all = module[factor];
    const pageSize = pageRank * width;
    if (pages === undefined) return new this.createTensor('float32', all, [all.length / pageSize, pageRank, width]);
    const data = new Float32Array(pages.length * pageSize);
    for (const [place, page] of pages.entries()) data.set(all.subarray(page * pageSize, (page + 1) * pageSize), place * pageSize);
    return new this.createTensor('float32', data, [pages.length, pageRank, width]);
  }
}
