// Finds a model's safetensors, single or sharded as save_pretrained writes them, and where each tensor lies. Names never lead out of the directory.
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { type TensorIndex, type TensorLocation } from '#kernels/models/tensor-index.js';
import { MODEL_LIMITS, readSafetensorsFileHeader, type SafetensorsHeader, type SafetensorsTensor } from '#src/safetensors/read-header.js';
import { fail } from './base-models.errors.js';
import { describeFileError, FileRefusedError, readSmallJson } from './read-small-file.js';

export const SINGLE_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';
/** The index of a model with 200,000 tensors takes some 20 MB. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
/** 405 billion parameters come in 191 files. */
const MAX_SHARDS = 2048;
const SHARD_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.safetensors$/;
const DTYPES = ['F32', 'F16', 'BF16'] as const satisfies readonly TensorLocation['dtype'][];

/** A weights file as it was found. */
export interface WeightFile {
  /** Plain name within the directory. */
  readonly file: string;
  /** Where its bytes truly are, relative to the directory of all weights, as tensors name it. */
  readonly place: string;
  readonly sizeBytes: number;
  /** Last change of content or place, of the file or of the link to it, in ms since 1970; unlike the time of modification it cannot be set by hand. */
  readonly changedMs: number;
}

export interface ModelWeights {
  /** In the order of their names. */
  readonly files: readonly WeightFile[];
  /**
   * Absolute, free of links, above all weight files. ONNX Runtime refuses external data that a link leads out of its folder, which is how the
   * cache of the Hugging Face Hub is made; so programs are given the places where the bytes truly are.
   */
  readonly weightsDirectory: string;
  /** Tensors of the types that programs read; their files are relative to `weightsDirectory`. */
  readonly tensors: TensorIndex;
  /** Every tensor that programs cannot read, with its type. */
  readonly otherDTypes: ReadonlyMap<string, string>;
  readonly parameterCount: number;
  /** Bytes of all tensors. */
  readonly weightBytes: number;
}

/**
 * Reads the headers of all weight files.
 * @throws BraidError BASE_MODEL_WEIGHTS_MISSING, BASE_MODEL_INDEX_INVALID, BASE_MODEL_DIRECTORY_INVALID, or of safetensors.errors.ts
 */
export async function readModelWeights(directory: string): Promise<ModelWeights> {
  const names = await listNames(directory);
  // As transformers does: the single file first.
  if (names.has(SINGLE_FILE)) return collectWeights(directory, [SINGLE_FILE], () => true);
  if (!names.has(INDEX_FILE)) throw fail('BASE_MODEL_WEIGHTS_MISSING', { directory, found: describeOtherWeights(names) });
  const fileOf = await readIndex(directory);
  const shards = [...new Set(fileOf.values())].sort();
  if (shards.length > MAX_SHARDS) throw invalidIndex(directory, `it names ${shards.length} files, at most ${MAX_SHARDS} are read`);
  for (const shard of shards) if (!names.has(shard)) throw invalidIndex(directory, `${shard}, which it names, does not exist`);
  const weights = await collectWeights(directory, shards, (tensor, file) => fileOf.get(tensor) === file);
  for (const [tensor, file] of fileOf) {
    if (!weights.tensors.has(tensor) && !weights.otherDTypes.has(tensor)) {
      throw invalidIndex(directory, `tensor ${shown(tensor)} is not in ${file}, where it should be`);
    }
  }
  return weights;
}

async function listNames(directory: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(directory));
  } catch (cause) {
    throw fail('BASE_MODEL_DIRECTORY_INVALID', { directory, reason: describeFileError(cause) }, cause);
  }
}

async function readIndex(directory: string): Promise<ReadonlyMap<string, string>> {
  let json: unknown;
  try {
    json = await readSmallJson(join(directory, INDEX_FILE), MAX_INDEX_BYTES);
  } catch (error) {
    if (!(error instanceof FileRefusedError)) throw error;
    throw invalidIndex(directory, error.message, error);
  }
  const map = typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : undefined;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw invalidIndex(directory, 'it has no weight_map');
  const entries = Object.entries(map);
  if (entries.length === 0) throw invalidIndex(directory, 'its weight_map is empty');
  return new Map(
    entries.map(([tensor, file]: [string, unknown]) => {
      if (typeof file === 'string' && SHARD_NAME.test(file)) return [tensor, file];
      throw invalidIndex(directory, `it places ${shown(tensor)} in ${shown(file)}; files are plain names of safetensors beside it`);
    }),
  );
}

async function collectWeights(
  directory: string,
  names: readonly string[],
  accepts: (tensor: string, file: string) => boolean,
): Promise<ModelWeights> {
  const realPaths = await Promise.all(names.map((file) => resolveLinks(directory, file)));
  const weightsDirectory = commonDirectory(realPaths);
  const files: WeightFile[] = [];
  const tensors = new Map<string, TensorLocation>();
  const otherDTypes = new Map<string, string>();
  let parameterCount = 0;
  let weightBytes = 0;
  for (const [i, file] of names.entries()) {
    const { header, found } = await readHeader(directory, file);
    const place = relative(weightsDirectory, realPaths[i] ?? '')
      .split(sep)
      .join('/');
    files.push({ ...found, place });
    for (const [name, tensor] of header.tensors) {
      if (!accepts(name, file)) continue;
      parameterCount += tensor.shape.reduce((product, size) => product * size, 1);
      weightBytes += tensor.length;
      const location = locate(place, tensor);
      if (location === undefined) otherDTypes.set(name, tensor.dtype);
      else tensors.set(name, location);
    }
  }
  return { files, weightsDirectory, tensors, otherDTypes, parameterCount, weightBytes };
}

async function resolveLinks(directory: string, file: string): Promise<string> {
  try {
    return await realpath(join(directory, file));
  } catch (cause) {
    throw unreadable(directory, file, cause);
  }
}

/** The deepest directory above all paths. */
function commonDirectory(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => dirname(path).split(sep));
  const depth = first.findIndex((segment, i) => others.some((other) => other[i] !== segment));
  return (depth < 0 ? first : first.slice(0, depth)).join(sep) || sep;
}

async function readHeader(directory: string, file: string): Promise<{ header: SafetensorsHeader; found: Omit<WeightFile, 'place'> }> {
  const handle = await open(join(directory, file), 'r').catch((cause: unknown) => {
    throw unreadable(directory, file, cause);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw fail('BASE_MODEL_DIRECTORY_INVALID', { directory, reason: `${file} is not a file` });
    const header = await readSafetensorsFileHeader(handle, MODEL_LIMITS, file);
    const link = await lstat(join(directory, file));
    return { header, found: { file, sizeBytes: stats.size, changedMs: Math.max(stats.ctimeMs, link.ctimeMs) } };
  } finally {
    await handle.close();
  }
}

function locate(file: string, { dtype, shape, offset, length }: SafetensorsTensor): TensorLocation | undefined {
  const known = DTYPES.find((candidate) => candidate === dtype);
  return known && { file, dtype: known, shape, offset, length };
}

function unreadable(directory: string, file: string, cause: unknown): Error {
  return fail('BASE_MODEL_DIRECTORY_INVALID', { directory, reason: `${file}: ${describeFileError(cause)}` }, cause);
}

function describeOtherWeights(names: ReadonlySet<string>): string {
  const others = [...names].filter((name) => /\.(bin|pt|pth|ckpt|msgpack|h5|gguf|onnx|safetensors)$/.test(name)).slice(0, 3);
  return others.length === 0 ? '' : `, only ${others.join(', ')}`;
}

function invalidIndex(directory: string, reason: string, cause?: unknown): Error {
  return fail('BASE_MODEL_INDEX_INVALID', { directory, reason }, cause);
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
