// How llama.cpp names what Braid adapts, and what it does to rows of query and key (convert_hf_to_gguf.py, gguf-py/gguf/tensor_mapping.py).
import { type LinearClass, type LinearModule } from '#kernels/lora/modules.js';
import { type ModelConfig } from '#kernels/models/models.js';

/** general.architecture of each model family; others cannot be written. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['llama', 'llama'],
  // MistralForCausalLM is LlamaModel there.
  ['mistral', 'llama'],
  ['qwen2', 'qwen2'],
  ['qwen3', 'qwen3'],
]);

const NAMES: Readonly<Partial<Record<LinearClass, string>>> = {
  q_proj: 'attn_q',
  k_proj: 'attn_k',
  v_proj: 'attn_v',
  o_proj: 'attn_output',
  gate_proj: 'ffn_gate',
  up_proj: 'ffn_up',
  down_proj: 'ffn_down',
  embed_tokens: 'token_embd',
  lm_head: 'output',
};

/** Families that can be written and read. */
export const GGUF_FAMILIES = [...ARCHITECTURES.keys()].join(', ');

/** undefined for a family whose layout there is not known here. */
export function findGgufArchitecture({ architecture }: Pick<ModelConfig, 'architecture'>): string | undefined {
  return ARCHITECTURES.get(architecture);
}

/** `blk.0.attn_q.weight`; undefined for a class without a name. */
export function findGgufName({ class: linearClass, layer, path }: LinearModule): string | undefined {
  const name = NAMES[linearClass];
  if (name === undefined) return undefined;
  return path.includes('.layers.') ? `blk.${layer}.${name}.weight` : `${name}.weight`;
}

/**
 * Into how many heads the rows of a module's B are cut to be reordered; undefined where they stay. Llama's own rotary embedding turns neighbouring
 * rows, Hugging Face's the two halves of a head, so the converter interleaves the halves.
 */
export function permutedHeads({ class: linearClass }: LinearModule, config: ModelConfig): number | undefined {
  if (findGgufArchitecture(config) !== 'llama') return undefined;
  if (linearClass === 'q_proj') return config.heads;
  return linearClass === 'k_proj' ? config.kvHeads : undefined;
}

/** Row 2j + k of a head is row k·d/2 + j of Hugging Face's. @param b [dOut, columns] */
export function interleaveHalves(b: Float32Array, columns: number, heads: number): Float32Array {
  return moveRows(b, columns, heads, (interleaved, halves) => [interleaved, halves]);
}

/** The way back of {@link interleaveHalves}. */
export function separateHalves(b: Float32Array, columns: number, heads: number): Float32Array {
  return moveRows(b, columns, heads, (interleaved, halves) => [halves, interleaved]);
}

function moveRows(
  b: Float32Array,
  columns: number,
  heads: number,
  direction: (interleaved: number, halves: number) => readonly [to: number, from: number],
): Float32Array {
  const moved = new Float32Array(b.length);
  const headRows = b.length / columns / heads;
  for (let head = 0; head < heads; head++) {
    for (let j = 0; j < headRows / 2; j++) {
      for (const k of [0, 1]) {
        const [to, from] = direction(head * headRows + 2 * j + k, head * headRows + (k * headRows) / 2 + j);
        moved.set(b.subarray(from * columns, (from + 1) * columns), to * columns);
      }
    }
  }
  return moved;
}
