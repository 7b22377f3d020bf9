// Turns a call's slots and scales into program inputs: each module's pages in the order in which the rows read them, copied only when that changed.
import type { StepProgram } from '#kernels/decode/step-program.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import type { Tensor, TensorConstructor } from 'onnxruntime-node';
import type { PageBank } from './page-bank.js';
import type { ClassSlots, RunCall } from './protocol.js';

type Feeds = Record<string, Tensor>;

/** The factors of one class as the last run that used it was fed them. */
interface FedFactors {
  readonly version: number;
  /** Groups and page numbers, joined. */
  readonly picked: string;
  readonly tensors: Feeds;
  /** By input, where copied pages lie: kept for the next copy, since fresh memory costs more than the copying. */
  readonly copies: Map<string, Float32Array>;
}

export class AdapterFeeds {
  private readonly fed = new Map<LinearClass, FedFactors>();

  constructor(
    private readonly createTensor: TensorConstructor,
    private readonly program: Pick<StepProgram, 'classes' | 'gained' | 'provider' | 'adapters'>,
    private readonly pageRank: number,
  ) {}

  clear(): void {
    this.fed.clear();
  }

  create(call: RunCall, bank: PageBank): Feeds {
    const rows = call.application === 'merged' ? 1 : (call.packing?.lines ?? call.rows);
    const feeds: Feeds = {};
    for (const linearClass of this.program.classes) {
      const used = call.lora.find((slots) => slots.class === linearClass);
      const { scale, gainScale, slotsPerGroup } = used ?? this.createUnused(linearClass, rows);
      const shape = [rows, slotsPerGroup * this.pageRank];
      feeds[`loraScale.${linearClass}`] = new this.createTensor('float32', scale, shape);
      if (this.program.gained.includes(linearClass)) {
        feeds[`loraGain.${linearClass}`] = new this.createTensor('float32', gainScale ?? new Float32Array(scale.length), shape);
      }
      Object.assign(
        feeds,
        used === undefined ? this.createFactors(this.createUnused(linearClass, rows), bank) : this.getFactors(used, bank),
      );
    }
    return feeds;
  }

  /** No slots, at no cost. WebGPU does not survive empty tensors and bytes have no scale for them: there it is the zero page at scale 0. */
  private createUnused(linearClass: LinearClass, rows: number): ClassSlots {
    const slotsPerGroup = this.program.provider === 'webgpu' || this.program.adapters === 'bytes' ? 1 : 0;
    const slots = new BigInt64Array(slotsPerGroup);
    return { class: linearClass, groups: 1, slotsPerGroup, slots, scale: new Float32Array(rows * slotsPerGroup * this.pageRank) };
  }

  private getFactors(used: ClassSlots, bank: PageBank): Feeds {
    const picked = `${used.groups}: ${used.slots.join()}`;
    const known = this.fed.get(used.class);
    if (known?.version === bank.version && known.picked === picked) return known.tensors;
    const copies = known?.copies ?? new Map<string, Float32Array>();
    const tensors = this.createFactors(used, bank, copies);
    this.fed.set(used.class, { version: bank.version, picked, tensors, copies });
    return tensors;
  }

  private createFactors(
    { class: linearClass, groups, slots }: ClassSlots,
    bank: PageBank,
    copies = new Map<string, Float32Array>(),
  ): Feeds {
    const pages = Array.from(slots, Number);
    const tensors: Feeds = {};
    for (const [layer, module] of bank.modules(linearClass)) {
      for (const factor of ['a', 'b'] as const) {
        const name = `lora${factor.toUpperCase()}.${layer}.${linearClass}`;
        const width = factor === 'a' ? module.dIn : module.dOut;
        const data = pickPages(module[factor], pages, this.pageRank * width, (length) => {
          const kept = copies.get(name);
          if (kept !== undefined && kept.length >= length) return kept.subarray(0, length);
          const fresh = new Float32Array(length);
          copies.set(name, fresh);
          return fresh;
        });
        tensors[name] = new this.createTensor('float32', data, [groups, (pages.length / groups) * this.pageRank, width]);
      }
    }
    return tensors;
  }
}

/** The named pages in order: in place where they lie so already, else copied into what `getRoom` gives. */
function pickPages(all: Float32Array, pages: readonly number[], pageSize: number, getRoom: (length: number) => Float32Array): Float32Array {
  const [first = 0] = pages;
  if (pages.every((page, index) => page === first + index)) return all.subarray(first * pageSize, (first + pages.length) * pageSize);
  const picked = getRoom(pages.length * pageSize);
  for (const [place, page] of pages.entries()) picked.set(all.subarray(page * pageSize, (page + 1) * pageSize), place * pageSize);
  return picked;
}
