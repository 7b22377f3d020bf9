// Memory that this hub takes to serve a base and its adapters, by the engine's own accounting, beside that of as many whole models.
import { countPages } from '#kernels/lora/pages.js';
import { LINEAR_CLASSES, type LinearClass } from '#kernels/lora/modules.js';
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { listDecoderModules } from '#kernels/models/linear-modules.js';
import { ModuleTable, sizeOfPages } from '#src/runtime/adapter-fit.js';
import { createLimits, PAGE_RANK } from '#src/runtime/engine-limits.js';
import { type AdaptedModule } from './adapted-modules.js';
import { countParameters, listParameters } from './count-parameters.js';
import { FORMAT_BYTES, type NumberFormat } from './precision.js';

export interface ServingOptions {
  /** Of the base's weights in their file. */
  readonly storedFormat: NumberFormat;
  /** Adapters to be served, or whole fine-tuned models in their place. */
  readonly adapters: number;
  /** Bytes set aside for pages (BRAID_ADAPTER_MEMORY_MB). */
  readonly adapterMemoryBytes: number;
  /** Rows that are generated together. */
  readonly rows: number;
  /** Tokens that each of them has in its cache. */
  readonly context: number;
}

export interface ServingPlan {
  /** One base model: weights in fp32 as the session packs them, the embedding as stored, the rotary tables, and the page of every module that stays zero. */
  readonly baseBytes: number;
  /** One adapter in pages of {@link PAGE_RANK} directions. */
  readonly adapterBytes: number;
  /** All adapters. */
  readonly pagesBytes: number;
  readonly adapterMemoryBytes: number;
  /** Adapters that lie in pages at once; the others come when they are asked for. */
  readonly residentAdapters: number;
  readonly kvBytesPerToken: number;
  /** Of all rows. */
  readonly kvBytes: number;
  /** Bytes that the engine fills with caches at once; rows beyond wait. */
  readonly kvLimitBytes: number;
  /** Base, resident pages, caches within their limit. */
  readonly loraBytes: number;
  /** The same for as many whole models, all of them in memory. */
  readonly fullBytes: number;
}

export function planServing(config: DecoderConfig, adapted: readonly AdaptedModule[], options: ServingOptions): ServingPlan {
  const { adapters, adapterMemoryBytes, rows, context } = options;
  const table = new ModuleTable(listDecoderModules(config), PAGE_RANK);
  const adapterBytes = sizeOfPages(countPagesByClass(adapted), table);
  const { cacheBytes, cacheBytesPerToken } = createLimits(config, 'cpu', rows, PAGE_RANK);
  const zeroPages = sizeOfPages(new Map(LINEAR_CLASSES.map((linearClass) => [linearClass, 1])), table);
  const baseBytes = countBaseBytes(config, options.storedFormat) + zeroPages;
  const kvBytes = rows * context * cacheBytesPerToken;
  const residentAdapters = Math.min(adapters, Math.floor(adapterMemoryBytes / adapterBytes));
  const heldKvBytes = Math.min(kvBytes, cacheBytes);
  return {
    baseBytes,
    adapterBytes,
    pagesBytes: adapters * adapterBytes,
    adapterMemoryBytes,
    residentAdapters,
    kvBytesPerToken: cacheBytesPerToken,
    kvBytes,
    kvLimitBytes: cacheBytes,
    loraBytes: baseBytes + residentAdapters * adapterBytes + heldKvBytes,
    fullBytes: adapters * baseBytes + heldKvBytes,
  };
}

/** As the residency counts them: a page has the same number in every layer, so the highest rank of a class decides. */
export function countPagesByClass(adapted: readonly AdaptedModule[]): Map<LinearClass, number> {
  const counts = new Map<LinearClass, number>();
  for (const { module, rank } of adapted) counts.set(module.class, Math.max(counts.get(module.class) ?? 0, countPages(rank, PAGE_RANK)));
  return counts;
}

/** Every weight in fp32, which the session packs; the embedding is looked up as stored, and a tied output layer owns an fp32 copy of it. */
function countBaseBytes(config: DecoderConfig, storedFormat: NumberFormat): number {
  const { hiddenSize, vocabularySize, ropes, maxPositionEmbeddings, hasTiedEmbeddings } = config;
  const embedding = vocabularySize * hiddenSize;
  const parameters = countParameters(listParameters(config));
  const inFp32 = hasTiedEmbeddings ? parameters : parameters - embedding;
  // Cosine and sine of half the numbers that turn, at every position.
  const rotary = maxPositionEmbeddings * ropes.reduce((sum, { dim }) => sum + dim, 0) * FORMAT_BYTES.fp32;
  return inFp32 * FORMAT_BYTES.fp32 + embedding * FORMAT_BYTES[storedFormat] + rotary;
}
