// Random Llamas for the bench of adapter pages, and requests to an engine over generated adapters.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { loadBaseModelFiles } from '#src/base-models/load-base-model-files.js';
import type { Digest } from '#src/ids/ids.js';
import { PAGE_RANK } from '#src/runtime/engine-limits.js';
import { openEngine, type ModelEngine } from '#src/runtime/model-engine.js';
import { encodeSafetensors, float32Tensor, type TensorToWrite } from '#test/fixtures/safetensors-file.js';
import { createTinyRandom, TINY_CONFIG } from '#test/fixtures/tiny-model.js';
import { GeneratedAdapters } from './generated-adapters.js';

const TARGETS: readonly string[] = ['q_proj', 'v_proj'];
const PROMPT = [11, 48, 85, 122];

export interface PagesBed {
  readonly engine: ModelEngine;
  readonly adapters: GeneratedAdapters;
  /** What an adapter of the rank that the memory is counted in takes of it. */
  readonly adapterBytes: number;
}

/** The answer of one adapter to one prompt. */
export interface PagesAnswer {
  readonly ids: readonly number[];
  readonly logprobs: readonly number[];
}

export interface PagesModel {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly contextLength: number;
}

/** Writes a random Llama of this size. */
export function writePagesModel(directory: string, { hiddenSize, layers, contextLength }: PagesModel): void {
  const rawConfig = {
    ...TINY_CONFIG,
    hidden_size: hiddenSize,
    intermediate_size: 3 * hiddenSize,
    num_hidden_layers: layers,
    head_dim: hiddenSize / TINY_CONFIG.num_attention_heads,
    max_position_embeddings: contextLength,
  };
  const random = createTinyRandom(hiddenSize);
  const tensor = (shape: readonly number[], scale: number, shift = 0): TensorToWrite =>
    float32Tensor(
      shape,
      Array.from({ length: shape.reduce((x, y) => x * y, 1) }, () => shift + scale * random()),
    );
  const tensors: Record<string, TensorToWrite> = { 'model.norm.weight': tensor([hiddenSize], 0.1, 1) };
  for (let layer = 0; layer < layers; layer++)
    for (const norm of ['input_layernorm', 'post_attention_layernorm'])
      tensors[`model.layers.${layer}.${norm}.weight`] = tensor([hiddenSize], 0.1, 1);
  // The output layer is the embedding's.
  for (const { path, class: linearClass, dIn, dOut } of listLinearModules(parseModelConfig(rawConfig)))
    if (linearClass !== 'lm_head')
      tensors[`${path}.weight`] = linearClass === 'embed_tokens' ? tensor([dIn, dOut], 0.5) : tensor([dOut, dIn], 2 / Math.sqrt(dIn));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), JSON.stringify(rawConfig));
  writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
}

/** An engine over generated adapters on the target modules, with memory for `count` of them of this rank. */
export async function openPagesBed(
  directory: string,
  { count, rank }: { readonly count: number; readonly rank: number },
): Promise<PagesBed> {
  const { directory: path, config, tensors } = await loadBaseModelFiles(directory);
  const modules = listLinearModules(config).filter(({ class: own }) => TARGETS.includes(own));
  const adapters = new GeneratedAdapters(modules);
  const pages = Math.ceil(rank / PAGE_RANK);
  const adapterBytes = modules.reduce(
    (bytes, { dIn, dOut }) => bytes + pages * PAGE_RANK * (dIn + dOut) * Float32Array.BYTES_PER_ELEMENT,
    0,
  );
  const engine = await openEngine({
    directory: path,
    config,
    tensors,
    adapters,
    provider: 'cpu',
    threads: 1,
    maxBatchRows: 16,
    maxQueue: 256,
    adapterMemoryBytes: count * adapterBytes,
  });
  return { engine, adapters, adapterBytes };
}

/** A greedy answer under one adapter. */
export async function answer(engine: ModelEngine, digest: Digest | undefined, maxTokens: number): Promise<PagesAnswer> {
  const ids: number[] = [];
  const logprobs: number[] = [];
  for await (const { id, logprob } of engine.generate({
    ids: PROMPT,
    mixture: digest === undefined ? [] : [{ digest, weight: 1 }],
    maxTokens,
    stopTokens: [],
    sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
    topLogprobs: 0,
    stream: false,
  })) {
    ids.push(id);
    logprobs.push(logprob);
  }
  return { ids, logprobs };
}
