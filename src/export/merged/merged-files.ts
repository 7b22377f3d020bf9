// A whole model directory with adapters merged into its weights: files named, sharded and typed as the base's.
import { join } from 'node:path';
import { FileRefusedError, readSmallFile } from '#src/base-models/read-small-file.js';
import { SINGLE_FILE } from '#src/base-models/read-weights.js';
import { type BaseModel } from '#src/registry/base-model.entity.js';
import { type ExportFile, fileOf } from '../export-file.js';
import { type MergedFile } from './merged-file.js';
import { type MergedWeights } from './merged-weights.js';

/** What says how texts become tokens and answers are drawn; copied where it is there. Nothing else of the directory is. */
const COPIED_FILES = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
] as const;
/** The largest vocabularies take some 40 MB. */
const MAX_COPIED_BYTES = 128 * 1024 * 1024;

/** The directory's files: the merged weights, and whatever else a model needs. */
export async function createMergedFiles(
  { files, isParted }: MergedWeights,
  { config, directory }: BaseModel,
): Promise<readonly ExportFile[]> {
  const isSingle = files.length === 1 && files[0]?.name === SINGLE_FILE;
  return [
    jsonFile('config.json', isParted ? { ...config, tie_word_embeddings: false } : config),
    ...files,
    ...(isSingle ? [] : [createIndex(files)]),
    ...(await copySmallFiles(directory)),
  ];
}

function createIndex(files: readonly MergedFile[]): ExportFile {
  const tensors = files.flatMap((file) => [...file.tensors].map(([name, { length }]) => ({ name, length, file: file.name })));
  return jsonFile('model.safetensors.index.json', {
    metadata: { total_size: tensors.reduce((sum, { length }) => sum + length, 0) },
    weight_map: Object.fromEntries(tensors.sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, file }) => [name, file])),
  });
}

function jsonFile(name: string, value: unknown): ExportFile {
  return fileOf(name, [Buffer.from(`${JSON.stringify(value, null, 2)}\n`)]);
}

async function copySmallFiles(directory: string): Promise<readonly ExportFile[]> {
  const copied: ExportFile[] = [];
  for (const name of COPIED_FILES) {
    try {
      copied.push(fileOf(name, [await readSmallFile(join(directory, name), MAX_COPIED_BYTES)]));
    } catch (error) {
      // Which of them a model has differs; tokenizer.json is read whenever the model is served.
      if (!(error instanceof FileRefusedError)) throw error;
    }
  }
  return copied;
}
