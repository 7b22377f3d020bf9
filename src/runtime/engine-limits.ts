// How large one run of the model may be: what keeps the processor busy, bounded by what keeps others waiting and by memory.
import type { ModelConfig } from '#kernels/models/models.js';
import type { ScoreBatchLimits } from './plan-score-batches.js';
import { CPU_SLOT_COSTS } from './plan-slots.js';
import type { SchedulerLimits } from './scheduler.js';
import type { Provider } from './worker/protocol.js';

// Ranks below fill a page with zeros, ranks above take several; 8 divides the ranks in common use.
export const PAGE_RANK = 8;

export interface EngineLimits extends SchedulerLimits {
  readonly score: ScoreBatchLimits;
}

// Two cores reach their full speed at some 300 tokens a run; a thousand keep a streaming reader waiting under a second. GPUs want more.
const RUN_TOKENS = { cpu: 1024, webgpu: 4096, cuda: 8192 } as const satisfies Record<Provider, number>;
// 64 MiB of logits; the graph holds about three arrays of that size.
const MAX_LOGITS = 16 * 2 ** 20;
const MAX_POSITIONS = 512;
// Keys and values of all running rows, beside the weights.
const CACHE_BYTES = 2 ** 30;

// Pieces of a long prompt come between the steps of others, who should not feel each of them.
const CHUNK_TOKENS = { cpu: 512, webgpu: 4096, cuda: 8192 } as const satisfies Record<Provider, number>;
// 256 MiB of attention weights: heads × tokens fed × row length. A long prompt in one run would take gigabytes.
const MAX_ATTENTION = 64 * 2 ** 20;
// Below this a run's fixed costs, the copy of the row's cache above all, outweigh its work.
const MIN_CHUNK_TOKENS = 64;

export function createLimits(config: ModelConfig, provider: Provider, maxBatchRows: number, pageRank: number): EngineLimits {
  const chunkTokens = (length: number): number =>
    Math.min(CHUNK_TOKENS[provider], Math.max(MIN_CHUNK_TOKENS, Math.floor(MAX_ATTENTION / (config.heads * length))));
  return {
    maxBatchRows,
    chunkTokens,
    prefillTokens: RUN_TOKENS[provider],
    cacheBytes: CACHE_BYTES,
    cacheBytesPerToken: config.layers * 2 * config.kvHeads * config.headDim * Float32Array.BYTES_PER_ELEMENT,
    // An encoder reads all texts again in every run, each token beside each.
    sourceCells: MAX_ATTENTION / config.heads,
    streamedSteps: 4,
    // Half of it would wait nearly as long: feeding twenty adapters costs what it costs.
    backgroundTokens: RUN_TOKENS[provider] / 4,
    batchSteps: 16,
    contextLength: config.maxPositionEmbeddings,
    pageRank,
    slotCosts: CPU_SLOT_COSTS,
    score: {
      paddedTokens: RUN_TOKENS[provider],
      chunkTokens,
      positions: Math.max(1, Math.min(MAX_POSITIONS, Math.floor(MAX_LOGITS / config.vocabularySize))),
      closeAtTokens: RUN_TOKENS[provider] / 2,
    },
  };
}
