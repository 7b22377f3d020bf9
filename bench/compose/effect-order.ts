// Another way to find adapters, measured where there are weights: by what they do to the base on fixed probes, against what the task's answers
// ask of the base. No signature of the hub is made so yet.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '#src/ids/ids.js';
import type { EmbedRow, Engine } from '#src/runtime/engine.js';
import { MODEL_LIMITS, readSafetensorsFileHeader, readTensorBytes } from '#src/safetensors/read-header.js';
import { isFloatDType, toFloat32 } from '#src/safetensors/to-float32.js';

const WEIGHTS = 'model.safetensors';
// The bed's model has one matrix for its input and its output.
const OUTPUT_WEIGHT = 'model.embed_tokens.weight';

/**
 * Semantics: effect δᵢ = mean over probes of h(probe, adapter i) − h(probe, base), h the hidden state [hidden] after the final norm at the
 * prompt's end. W [vocab, hidden] is the output layer, p = softmax(W·h) of the base at a task's prompt end, t its answer's first token: then
 * demand g = mean over examples of W_t − Wᵀ·p is the gradient of log p_t by h, and g·δᵢ how much adapter i is expected to help, to first order.
 */
export async function openEffects(engine: Engine, modelDirectory: string, adapters: readonly Digest[], probes: readonly EmbedRow[]) {
  const output = await readOutputWeight(modelDirectory);
  const ends = probes.map(promptEnd);
  const base = await engine.embed(ends);
  const effects: Float64Array[] = [];
  for (const digest of adapters) {
    const states = await engine.embed(ends.map((row) => ({ ...row, mixture: [{ digest, weight: 1 }] })));
    effects.push(meanOf(states.map((state, i) => state.map((value, d) => value - (base[i]?.[d] ?? NaN)))));
  }
  return {
    /** Indices of the adapters, the one that promises most first. @param rows the task's examples */
    order: async (rows: readonly EmbedRow[]): Promise<number[]> => {
      const states = await engine.embed(rows.map(promptEnd));
      const demand = meanOf(states.map((state, i) => gradientOf(state, firstToken(rows[i]), output)));
      const promise = effects.map((effect) => dot(effect, demand, 0, effect.length));
      return [...promise.keys()].sort((a, b) => (promise[b] ?? NaN) - (promise[a] ?? NaN));
    },
  };
}

/** The row without its answer; its last token is what counts. */
function promptEnd({ ids, from }: EmbedRow): EmbedRow {
  return { ids: ids.slice(0, from), from: from - 1, mixture: [] };
}

function firstToken(row: EmbedRow | undefined): number {
  const token = row?.ids[row.from];
  if (token === undefined) throw new RangeError('an example has no answer');
  return token;
}

/** W_t − Wᵀ·softmax(W·h) */
function gradientOf(state: Float32Array, token: number, output: Float32Array): Float64Array {
  const size = state.length;
  const logits = Float64Array.from({ length: output.length / size }, (_, row) => dot(output, state, row * size, size));
  const highest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const shares = logits.map((value) => Math.exp(value - highest));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const gradient = Float64Array.from(output.subarray(token * size, (token + 1) * size));
  for (const [row, share] of shares.entries()) {
    for (let d = 0; d < size; d++) gradient[d] = (gradient[d] ?? NaN) - (share / total) * (output[row * size + d] ?? NaN);
  }
  return gradient;
}

/** Of the `size` values of x from `start`, and y. */
function dot(x: ArrayLike<number>, y: ArrayLike<number>, start: number, size: number): number {
  let sum = 0;
  for (let d = 0; d < size; d++) sum += (x[start + d] ?? NaN) * (y[d] ?? NaN);
  return sum;
}

function meanOf(vectors: readonly (Float32Array | Float64Array)[]): Float64Array {
  return Float64Array.from({ length: vectors[0]?.length ?? 0 }, (_, d) =>
    vectors.reduce((sum, vector) => sum + (vector[d] ?? NaN) / vectors.length, 0),
  );
}

async function readOutputWeight(modelDirectory: string): Promise<Float32Array> {
  const handle = await open(join(modelDirectory, WEIGHTS));
  try {
    const { tensors } = await readSafetensorsFileHeader(handle, MODEL_LIMITS, WEIGHTS);
    const tensor = tensors.get(OUTPUT_WEIGHT);
    if (tensor === undefined || !isFloatDType(tensor.dtype)) throw new Error(`${WEIGHTS} has no ${OUTPUT_WEIGHT} of floating point`);
    return toFloat32(await readTensorBytes(handle, tensor, WEIGHTS), tensor.dtype);
  } finally {
    await handle.close();
  }
}
