// Makes adapters of compositions in factor space. Their parts are kept for a while: a search combines the same ones again and again.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { combineFactors, FactorMismatch } from '#kernels/lora/combine-factors.js';
import type { Digest } from '#src/ids/ids.js';
import type { WeightedAdapter } from './engine.js';
import { fail } from './runtime.errors.js';

// The factors of some twenty candidates of rank 16 on a model of a billion parameters.
const MOST_KEPT_BYTES = 256 * 1024 * 1024;

export class FactorSource {
  /** Oldest use first. */
  private readonly kept = new Map<Digest, CanonicalAdapter>();
  private keptBytes = 0;

  constructor(private readonly load: (digest: Digest) => Promise<CanonicalAdapter>) {}

  /** @throws BraidError FACTORS_DIFFER, and what loading a part throws */
  async combine(factors: readonly WeightedAdapter[]): Promise<CanonicalAdapter> {
    const parts = [];
    // One after another: they come from memory, save at the first time.
    for (const { digest, weight } of factors) parts.push({ adapter: await this.part(digest), weight });
    try {
      return combineFactors(parts);
    } catch (error) {
      if (!(error instanceof FactorMismatch)) throw error;
      const { first, second, reason } = error;
      throw fail('FACTORS_DIFFER', { first: factors[first]?.digest ?? '', second: factors[second]?.digest ?? '', reason }, error);
    }
  }

  private async part(digest: Digest): Promise<CanonicalAdapter> {
    const known = this.kept.get(digest);
    const adapter = known ?? (await this.load(digest));
    // Another caller may have kept it meanwhile.
    if (!this.kept.has(digest)) this.keptBytes += sizeOf(adapter);
    this.kept.delete(digest);
    this.kept.set(digest, adapter);
    for (const [oldest, unused] of this.kept) {
      if (this.keptBytes <= MOST_KEPT_BYTES) break;
      this.kept.delete(oldest);
      this.keptBytes -= sizeOf(unused);
    }
    return adapter;
  }
}

function sizeOf({ modules }: CanonicalAdapter): number {
  return modules.reduce((bytes, { a, b }) => bytes + a.byteLength + b.byteLength, 0);
}
