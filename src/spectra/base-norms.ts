// ‖W₀‖ of a base model's linear modules: read once from its files, piece by piece, and remembered.
import { Injectable } from '@nestjs/common';
import type { LinearModule } from '#kernels/lora/modules.js';
import type { Digest } from '#src/ids/ids.js';
import { sumOfSquares } from '#src/linear-algebra/dense-products.js';
import { readBaseWeight } from '#src/publish/read-base-weight.js';
import type { BaseModelFiles } from '#src/runtime/sources.js';

@Injectable()
export class BaseNorms {
  /** By the base's digest, then by path: a number for each of its modules at most. */
  private readonly known = new Map<Digest, Map<string, number>>();

  /** Frobenius norm, float64 sums. @throws when a file cannot be read or the signal is given; BraidError SAFETENSORS_TRUNCATED */
  async get(digest: Digest, files: BaseModelFiles, module: LinearModule, signal: AbortSignal): Promise<number> {
    const norms = this.known.get(digest) ?? new Map<string, number>();
    this.known.set(digest, norms);
    const known = norms.get(module.path);
    if (known !== undefined) return known;
    let sum = 0;
    for await (const { rows } of readBaseWeight(module, files)) {
      signal.throwIfAborted();
      sum += sumOfSquares(rows);
    }
    norms.set(module.path, Math.sqrt(sum));
    return Math.sqrt(sum);
  }
}
