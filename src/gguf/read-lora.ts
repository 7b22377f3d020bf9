// Reads a GGUF LoRA from disk into canonical factors: names, shapes and rows as the base has them.
import { open } from 'node:fs/promises';
import { type CanonicalAdapter, type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { type ModelConfig } from '#kernels/models/models.js';
import { MAX_RANK } from '#src/peft/config-fields.js';
import { readTensorBytes } from '#src/safetensors/read-header.js';
import { findNonFinite, toFloat32 } from '#src/safetensors/to-float32.js';
import { fail } from './gguf.errors.js';
import { findGgufArchitecture, GGUF_FAMILIES, findGgufName, permutedHeads, separateHalves } from './lora-names.js';
import { type GgufHeader, type GgufTensor, readGgufHeader } from './read-header.js';
import { transpose } from '#kernels/lora/transpose.js';

/**
 * @param modules every linear module of the base
 * @param file its name, for messages
 * @throws BraidError GGUF_INVALID, GGUF_LIMIT_EXCEEDED, GGUF_NOT_LORA
 */
export async function readGgufLora(
  path: string,
  modules: readonly LinearModule[],
  config: ModelConfig,
  file: string,
): Promise<CanonicalAdapter> {
  const refuse = (reason: string): Error => fail('GGUF_NOT_LORA', { file, reason });
  const handle = await open(path, 'r');
  try {
    const header = await readGgufHeader(handle, file);
    const alpha = readAlpha(header, config, refuse);
    const pairs = findPairs(header, modules, refuse);
    const read: CanonicalModule[] = [];
    for (const { module, a, b } of pairs) {
      const rank = b.shape[1] ?? 0;
      const isEmbedding = module.class === 'embed_tokens';
      const valuesOf = async (tensor: GgufTensor, factor: string): Promise<Float32Array> => {
        const values = toFloat32(await readTensorBytes(handle, { ...tensor, dtype: tensor.type }, file), tensor.type);
        const index = findNonFinite(values);
        if (index >= 0) throw refuse(`${factor} of ${module.path} holds ${String(values[index])} at index ${index}`);
        return values;
      };
      const [storedA, storedB] = [await valuesOf(a, 'lora_a'), await valuesOf(b, 'lora_b')];
      const heads = permutedHeads(module, config);
      read.push({
        layer: module.layer,
        class: module.class,
        rank,
        // llama-adapter.h, get_scale: an alpha of 0 is none.
        scale: alpha === 0 ? 1 : alpha / rank,
        a: isEmbedding ? transpose(storedA, module.dIn, rank) : storedA,
        b: heads === undefined ? storedB : separateHalves(storedB, rank, heads),
      });
    }
    return { modules: read };
  } finally {
    await handle.close();
  }
}

function readAlpha({ metadata }: GgufHeader, config: ModelConfig, refuse: (reason: string) => Error): number {
  const needed = { 'general.type': 'adapter', 'adapter.type': 'lora', 'general.architecture': findGgufArchitecture(config) };
  for (const [key, value] of Object.entries(needed)) {
    if (value === undefined) throw refuse(`the base is of the family ${config.architecture}, supported are ${GGUF_FAMILIES}`);
    const found = metadata.get(key);
    if (found !== value) throw refuse(`its ${key} is ${found === undefined ? 'missing' : shown(String(found))}, it must be ${value}`);
  }
  const alpha = metadata.get('adapter.lora.alpha') ?? 0;
  if (typeof alpha !== 'number' || !Number.isFinite(alpha))
    throw refuse(`its adapter.lora.alpha is ${shown(String(alpha))}, it must be a finite float32`);
  return alpha;
}

interface Pair {
  readonly module: LinearModule;
  readonly a: GgufTensor;
  readonly b: GgufTensor;
}

/** Every tensor of the file under its module, in the base's order, shapes checked. */
function findPairs({ tensors }: GgufHeader, modules: readonly LinearModule[], refuse: (reason: string) => Error): readonly Pair[] {
  const seen = new Set<string>();
  const pairs = modules.flatMap((module): Pair[] => {
    const name = findGgufName(module);
    const [a, b] = [tensors.get(`${name}.lora_a`), tensors.get(`${name}.lora_b`)];
    if (name === undefined || (a === undefined && b === undefined)) return [];
    if (a === undefined || b === undefined) throw refuse(`${name} has ${a === undefined ? 'lora_b' : 'lora_a'} alone`);
    const rank = b.shape[1] ?? 0;
    if (rank > MAX_RANK) throw refuse(`${name} has rank ${rank}, at most ${MAX_RANK} is accepted`);
    const isEmbedding = module.class === 'embed_tokens';
    assertShape(`${name}.lora_a`, a, isEmbedding ? [module.dIn, rank] : [rank, module.dIn], refuse);
    assertShape(`${name}.lora_b`, b, [module.dOut, rank], refuse);
    seen.add(`${name}.lora_a`).add(`${name}.lora_b`);
    return [{ module, a, b }];
  });
  const other = [...tensors.keys()].find((name) => !seen.has(name));
  if (other !== undefined) throw refuse(`tensor ${shown(other)} belongs to none of the base's linear modules`);
  if (pairs.length === 0) throw refuse('it has no tensors');
  return pairs;
}

function assertShape(name: string, { shape }: GgufTensor, needed: readonly number[], refuse: (reason: string) => Error): void {
  if (shape.length === needed.length && shape.every((size, axis) => size === needed[axis])) return;
  throw refuse(`${name} has shape [${shape.join(', ')}], the base needs [${needed.join(', ')}]`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 117)}...` : text);
}
