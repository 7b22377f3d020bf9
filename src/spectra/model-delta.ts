// The update that a model's name stands for, module by module: an adapter's own, or the sum of a composition's parts.
import type { CanonicalAdapter, CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import type { WeightedFactors } from '#kernels/lora/combine-factors.js';
import { concatenateFactors } from '#kernels/lora/concatenate-factors.js';
import type { LinearModule } from '#kernels/lora/modules.js';
import type { Digest } from '#src/ids/ids.js';
import type { Mixture } from '#src/runtime/engine.js';
import { FactorSource } from '#src/runtime/factor-source.js';
import { fail } from './spectra.errors.js';

/** Of all parts together: a composition of thirty adapters of rank 16 on a model of seven billion parameters has half of it. */
const MAX_FACTOR_BYTES = 3 * 2 ** 30;
/** Of one module. A decomposition of this rank takes a minute or two. */
const MAX_DIRECTIONS = 1024;

export class ModelDelta {
  private constructor(
    private readonly name: string,
    private readonly parts: readonly WeightedFactors[],
  ) {}

  /**
   * @param name of the model, for messages
   * @param load reads an adapter
   * @throws BraidError SPECTRA_TOO_LARGE, FACTORS_DIFFER, and what loading throws
   */
  static async load(name: string, mixture: Mixture, load: (digest: Digest) => Promise<CanonicalAdapter>): Promise<ModelDelta> {
    const source = new FactorSource(load);
    const parts: WeightedFactors[] = [];
    let bytes = 0;
    // One after another, so that what is too much is not in memory at once.
    for (const { digest, weight, factors } of mixture) {
      const adapter = factors === undefined ? await load(digest) : await source.combine(factors);
      bytes += adapter.modules.reduce((sum, { a, b }) => sum + a.byteLength + b.byteLength, 0);
      if (bytes > MAX_FACTOR_BYTES) {
        throw fail('SPECTRA_TOO_LARGE', { name, reason: `its factors take more than ${MAX_FACTOR_BYTES} bytes` });
      }
      parts.push({ adapter, weight });
    }
    return new ModelDelta(name, parts);
  }

  /** Σ wᵢ·ΔWᵢ of one module of the base; undefined where nothing changes it. @throws BraidError SPECTRA_TOO_LARGE */
  moduleOf(module: LinearModule): CanonicalModule | undefined {
    const directions = this.parts.reduce((sum, { adapter }) => sum + (findModule(adapter, module)?.rank ?? 0), 0);
    if (directions > MAX_DIRECTIONS) {
      throw fail('SPECTRA_TOO_LARGE', {
        name: this.name,
        reason: `its parts have ${directions} directions in ${module.path}, at most ${MAX_DIRECTIONS} are decomposed`,
      });
    }
    return concatenateFactors(this.parts, [module]).modules[0];
  }

  /** What the figures of a module leave out; null where they say everything. */
  noteOn(module: LinearModule): string | null {
    const hasGain = this.parts.some(({ adapter }) => findModule(adapter, module)?.gain !== undefined);
    return hasGain ? "DoRA: the base's own rows are scaled beside s·B·A, which the figures leave out" : null;
  }
}

function findModule({ modules }: CanonicalAdapter, { layer, class: linearClass }: LinearModule): CanonicalModule | undefined {
  return modules.find((module) => module.layer === layer && module.class === linearClass);
}
