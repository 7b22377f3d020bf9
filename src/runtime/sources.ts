// What the runtime needs from other rooms, so that it imports neither publish nor registry: where adapters and base models come from.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import type { ModelConfig } from '#kernels/models/models.js';
import type { TensorIndex } from '#kernels/models/tensor-index.js';
import type { Digest } from '#src/ids/ids.js';

/** Reads adapters by digest. */
export interface AdapterSource {
  /** The canonical factors; the caller only reads them. @throws BraidError when the adapter is gone or its bytes are damaged */
  load(digest: Digest): Promise<CanonicalAdapter>;
}

/** A base model's files as they lie on disk. */
export interface BaseModelFiles {
  /** Absolute path of the Hugging Face directory. */
  readonly directory: string;
  readonly config: ModelConfig;
  /** Where each tensor lies in the safetensors files, file names relative to `directory`. */
  readonly tensors: TensorIndex;
  /** Linear classes that adapters of this model are known to target; a session made for them at once need not be made again. @default none */
  readonly adapterClasses?: readonly LinearClass[];
}

/** Finds base models by digest. */
export interface BaseModelSource {
  /** @throws BraidError when no base model has this digest or its directory is gone */
  load(digest: Digest): Promise<BaseModelFiles>;
}

/** Says which adapters are to stay in a base model's pages. */
export interface PinnedAdapterSource {
  /** Digests as the names of the configuration stand now; what is not there is left out, and logged. */
  list(baseModelDigest: Digest): Promise<readonly Digest[]>;
}

/** Nest injection token of the configured AdapterSource. */
export const ADAPTER_SOURCE = Symbol('ADAPTER_SOURCE');
/** Nest injection token of the configured BaseModelSource. */
export const BASE_MODEL_SOURCE = Symbol('BASE_MODEL_SOURCE');
/** Nest injection token of the configured PinnedAdapterSource; absent where nothing is pinned. */
export const PINNED_ADAPTER_SOURCE = Symbol('PINNED_ADAPTER_SOURCE');
