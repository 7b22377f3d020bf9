// Everything that a program needs to know of a model directory, checked: configuration, and the place and shape of every tensor.
import { realpath } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { buildStepProgram, ModelConfigError, ModelTensorError, parseModelConfig, type ModelConfig } from '#kernels/models/models.js';
import { type TensorIndex, type TensorLocation } from '#kernels/models/tensor-index.js';
import { fail } from './base-models.errors.js';
import { describeFileError, FileRefusedError, readSmallJson } from './read-small-file.js';
import { readModelWeights, type ModelWeights } from './read-weights.js';

/** Configurations take a few KB. */
const MAX_CONFIG_BYTES = 1024 * 1024;

export interface LoadedBaseModel extends ModelWeights {
  /** Absolute and free of links: a link that is bent later must not change what is registered. */
  readonly directory: string;
  readonly config: ModelConfig;
  /** Those of `tensors` that the model's program reads. */
  readonly programTensors: TensorIndex;
  /** config.json as it is. */
  readonly rawConfig: Readonly<Record<string, unknown>>;
}

/**
 * Reads and checks a model directory; the weights' bytes are not read.
 * @throws BraidError BASE_MODEL_DIRECTORY_INVALID, BASE_MODEL_CONFIG_INVALID, BASE_MODEL_UNSUPPORTED, BASE_MODEL_WEIGHTS_MISSING,
 * BASE_MODEL_INDEX_INVALID, BASE_MODEL_TENSOR_INVALID, or of safetensors.errors.ts
 */
export async function loadBaseModelFiles(directory: string): Promise<LoadedBaseModel> {
  if (!isAbsolute(directory)) throw fail('BASE_MODEL_DIRECTORY_INVALID', { directory, reason: 'the path is not absolute' });
  const path = await realpath(directory).catch((cause: unknown) => {
    throw fail('BASE_MODEL_DIRECTORY_INVALID', { directory, reason: describeFileError(cause) }, cause);
  });
  const rawConfig = await readConfig(path);
  const config = parseConfig(rawConfig);
  const weights = await readModelWeights(path);
  const programTensors = findProgramTensors(config, weights);
  return { ...weights, directory: path, config, rawConfig, programTensors };
}

async function readConfig(directory: string): Promise<Readonly<Record<string, unknown>>> {
  let json: unknown;
  try {
    json = await readSmallJson(join(directory, 'config.json'), MAX_CONFIG_BYTES);
  } catch (error) {
    if (!(error instanceof FileRefusedError)) throw error;
    throw fail('BASE_MODEL_CONFIG_INVALID', { directory, reason: error.message }, error);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw fail('BASE_MODEL_CONFIG_INVALID', { directory, reason: 'it is not an object' });
  }
  return json as Readonly<Record<string, unknown>>;
}

function parseConfig(json: unknown): ModelConfig {
  try {
    return parseModelConfig(json);
  } catch (error) {
    if (!(error instanceof ModelConfigError)) throw error;
    throw fail('BASE_MODEL_UNSUPPORTED', { field: error.field, reason: error.message }, error);
  }
}

/** Builds the model's program for one position and throws it away: the builder itself knows best which tensors it reads, and their shapes. */
function findProgramTensors(config: ModelConfig, { tensors, otherDTypes }: ModelWeights): TensorIndex {
  const recorded = new RecordedTensors(tensors);
  try {
    buildStepProgram({ config, tensors: recorded, mode: 'base', classes: [], provider: 'cpu', contextLength: 1 });
    return recorded.read;
  } catch (error) {
    if (!(error instanceof ModelTensorError)) throw error;
    const dtype = otherDTypes.get(error.tensor);
    const reason =
      dtype === undefined ? error.message : `tensor ${error.tensor} has dtype ${dtype}; weights of F32, F16 and BF16 can be served`;
    throw fail('BASE_MODEL_TENSOR_INVALID', { tensor: error.tensor, reason }, error);
  }
}

/** Remembers what was looked up. */
class RecordedTensors extends Map<string, TensorLocation> {
  readonly read = new Map<string, TensorLocation>();

  override get(name: string): TensorLocation | undefined {
    const tensor = super.get(name);
    if (tensor !== undefined) this.read.set(name, tensor);
    return tensor;
  }
}
