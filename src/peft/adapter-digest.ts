// The name of an adapter by what it computes. Saving the same adapter again gives the same digest: the order of tensors and of names in a configuration
// (PEFT writes a set), notes, versions, or float16 kept as float32 make no difference; any weight, scale or place does.
import { createHash, type Hash } from 'node:crypto';
import { type CanonicalAdapter, type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { digestFromHex, type Digest } from '#src/ids/ids.js';

/**
 * SHA-256 over the canonical form: a line that names the form, then for each module, in the base's order, one line of JSON
 * `[layer, class, rank, length of A, length of B, scale]` and the bytes of A [rank, dIn] and B [dOut, rank] as little-endian float32. Where the module
 * has a gain, its length stands behind the scale and its bytes behind B's.
 */
export class AdapterDigest {
  private readonly hash: Hash = createHash('sha256').update('braid canonical adapter 1\n');

  /** Takes in the next module. */
  update({ layer, class: linearClass, rank, scale, a, b, gain }: CanonicalModule): void {
    this.hash.update(
      `${JSON.stringify([layer, linearClass, rank, a.length, b.length, scale, ...(gain === undefined ? [] : [gain.length])])}\n`,
    );
    this.hash.update(bytesOf(a));
    this.hash.update(bytesOf(b));
    if (gain !== undefined) this.hash.update(bytesOf(gain));
  }

  /** Ends the digest; it takes nothing in afterwards. */
  finish(): Digest {
    return digestFromHex(this.hash.digest('hex'));
  }
}

/** The digest of a whole adapter. */
export function digestOfAdapter(adapter: CanonicalAdapter): Digest {
  const digest = new AdapterDigest();
  for (const module of adapter.modules) digest.update(module);
  return digest.finish();
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
