// Any number of adapters without a file: each is made from its number whenever it is read, and every read is counted.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { LinearModule } from '#kernels/lora/modules.js';
import { digestOf, type Digest } from '#src/ids/ids.js';
import type { AdapterSource } from '#src/runtime/sources.js';

const SIZE_A = 0.3;
const SIZE_B = 0.3;

export class GeneratedAdapters implements AdapterSource {
  /** Adapters that were read. */
  loads = 0;
  private readonly known = new Map<Digest, { readonly seed: number; readonly rank: number }>();

  /** @param modules those that every adapter changes */
  constructor(private readonly modules: readonly LinearModule[]) {}

  /** Registers adapter number `seed` of this rank. */
  add(seed: number, rank: number): Digest {
    const digest = digestOf(`generated ${seed} of rank ${rank}`);
    this.known.set(digest, { seed, rank });
    return digest;
  }

  async load(digest: Digest): Promise<CanonicalAdapter> {
    const found = this.known.get(digest);
    if (found === undefined) throw new Error(`no adapter ${digest} was generated`);
    this.loads++;
    const { seed, rank } = found;
    const fill = createFiller(seed);
    return Promise.resolve({
      modules: this.modules.map(({ layer, class: linearClass, dIn, dOut }) => ({
        layer,
        class: linearClass,
        rank,
        scale: 1,
        a: fill(rank * dIn, SIZE_A),
        b: fill(dOut * rank, SIZE_B / Math.sqrt(rank)),
      })),
    });
  }
}

/** mulberry32, uniform in ±size. */
function createFiller(seed: number): (count: number, size: number) => Float32Array {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return (count, size) =>
    Float32Array.from({ length: count }, () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return size * (((t ^ (t >>> 14)) >>> 0) / 2_147_483_648 - 1);
    });
}
