// The bench's own test bed: a random model in SmolLM2-135M's shape and twenty random adapters, written once into a cache folder.
// Random weights suffice: no figure of the bench depends on what the model says.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const shape = {
  vocabularySize: 49152,
  hiddenSize: 576,
  intermediateSize: 1536,
  layers: 30,
  heads: 9,
  keyValueHeads: 3,
  contextLength: 2048,
};
export const ADAPTERS = 20;
const RANK = 16;
const ALPHA = 32;

export interface Bed {
  readonly modelDirectory: string;
  readonly adaptersDirectory: string;
  readonly adapterNames: readonly string[];
  readonly vocabularySize: number;
}

/** The tokens that every contestant reads; the same arithmetic stands in peers/peft_peer.py. */
export function tokenIds(row: number, length: number, vocabularySize = shape.vocabularySize): number[] {
  return Array.from({ length }, (_, column) => (1000 + row * 101 + column * 37) % vocabularySize);
}

/** Writes the bed under `directory` unless it is complete there already. */
export async function ensureBed(directory: string): Promise<Bed> {
  const modelDirectory = join(directory, 'model');
  const adaptersDirectory = join(directory, 'adapters');
  const adapterNames = Array.from({ length: ADAPTERS }, (_, i) => `a${String(i).padStart(2, '0')}`);
  const done = join(directory, 'complete');
  if (!existsSync(done)) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(modelDirectory, { recursive: true });
    await writeModel(modelDirectory);
    for (const [i, name] of adapterNames.entries()) await writeAdapter(join(adaptersDirectory, name), i + 1);
    writeFileSync(done, '');
  }
  return { modelDirectory, adaptersDirectory, adapterNames, vocabularySize: shape.vocabularySize };
}

interface TensorPlan {
  readonly name: string;
  readonly shape: readonly number[];
  readonly scale: number;
  /** Norm weights are ones. */
  readonly constant?: number;
}

function modelTensors(): TensorPlan[] {
  const { hiddenSize: d, intermediateSize: f, vocabularySize: v } = shape;
  const kv = (d / shape.heads) * shape.keyValueHeads;
  const linear = (name: string, out: number, input: number): TensorPlan => ({ name: `${name}.weight`, shape: [out, input], scale: 0.05 });
  const norm = (name: string): TensorPlan => ({ name: `${name}.weight`, shape: [d], scale: 0, constant: 1 });
  const layers = Array.from({ length: shape.layers }, (_, i) => {
    const p = `model.layers.${i}`;
    return [
      norm(`${p}.input_layernorm`),
      linear(`${p}.self_attn.q_proj`, d, d),
      linear(`${p}.self_attn.k_proj`, kv, d),
      linear(`${p}.self_attn.v_proj`, kv, d),
      linear(`${p}.self_attn.o_proj`, d, d),
      norm(`${p}.post_attention_layernorm`),
      linear(`${p}.mlp.gate_proj`, f, d),
      linear(`${p}.mlp.up_proj`, f, d),
      linear(`${p}.mlp.down_proj`, d, f),
    ];
  });
  return [linear('model.embed_tokens', v, d), ...layers.flat(), norm('model.norm')];
}

async function writeModel(directory: string): Promise<void> {
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: shape.vocabularySize,
    hidden_size: shape.hiddenSize,
    intermediate_size: shape.intermediateSize,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    max_position_embeddings: shape.contextLength,
    rms_norm_eps: 1e-5,
    rope_theta: 100000,
    hidden_act: 'silu',
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'float32',
  };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config, null, 2));
  await writeSafetensors(join(directory, 'model.safetensors'), modelTensors(), 1);
}

async function writeAdapter(directory: string, seed: number): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: 'bench/smollm2-shape',
    r: RANK,
    lora_alpha: ALPHA,
    target_modules: ['q_proj', 'v_proj'],
    lora_dropout: 0,
    bias: 'none',
    inference_mode: true,
  };
  writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify(config, null, 2));
  const { hiddenSize: d } = shape;
  const kv = (d / shape.heads) * shape.keyValueHeads;
  const tensors = Array.from({ length: shape.layers }, (_, i) =>
    (
      [
        ['q_proj', d],
        ['v_proj', kv],
      ] as const
    ).flatMap(([module, out]): TensorPlan[] => {
      const p = `base_model.model.model.layers.${i}.self_attn.${module}`;
      return [
        { name: `${p}.lora_A.weight`, shape: [RANK, d], scale: 0.02 },
        { name: `${p}.lora_B.weight`, shape: [out, RANK], scale: 0.02 },
      ];
    }),
  );
  await writeSafetensors(join(directory, 'adapter_model.safetensors'), tensors.flat(), seed);
}

/** Writes float32 tensors of seeded, roughly normal numbers (the sum of three uniforms). */
async function writeSafetensors(path: string, tensors: readonly TensorPlan[], seed: number): Promise<void> {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const tensor of tensors) {
    const bytes = 4 * tensor.shape.reduce((a, b) => a * b, 1);
    header[tensor.name] = { dtype: 'F32', shape: tensor.shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const file = await open(`${path}.part`, 'w');
  try {
    await file.write(length);
    await file.write(padded);
    for (const tensor of tensors) {
      const values = new Float32Array(tensor.shape.reduce((a, b) => a * b, 1));
      for (let i = 0; i < values.length; i++) values[i] = tensor.constant ?? (uniform() + uniform() + uniform()) * tensor.scale;
      await file.write(new Uint8Array(values.buffer));
    }
  } finally {
    await file.close();
  }
  renameSync(`${path}.part`, path);
}
