// Base models: registered by the digest of their weights, left where they lie, and checked again whenever they are opened.
import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { parseModelConfig, type ModelConfig } from '#kernels/models/models.js';
import { BraidError } from '#src/http/braid-error.js';
import { type Digest, type RepoName } from '#src/ids/ids.js';
import { type BaseModel } from '#src/registry/base-model.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { type BaseModelFiles, type BaseModelSource } from '#src/runtime/sources.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { fail } from './base-models.errors.js';
import { digestWeights } from './digest-weights.js';
import { createFiniteScan } from './create-finite-scan.js';
import { loadBaseModelFiles, type LoadedBaseModel } from './load-base-model-files.js';
import { describeFileError } from './read-small-file.js';

export interface AddedBaseModel {
  readonly baseModel: BaseModel;
  /** False when the same model was there under this name. */
  readonly created: boolean;
}

/** Times of files are coarser than the clock, by some milliseconds on a disk and by a second or two over a network. */
const COARSE_MS = 2000;

@Injectable()
export class BaseModelsService implements BaseModelSource {
  /** State of the files whose bytes are known to have the digest. */
  private readonly knownStates = new Map<Digest, string>();

  constructor(private readonly registry: RegistryService) {}

  /**
   * Registers a model directory; nothing is copied. Reads all weights once.
   * @throws BraidError of base-models.errors.ts, safetensors.errors.ts or tokenizer.errors.ts; BASE_MODEL_CONFLICT, BASE_MODEL_EXISTS, NAME_TAKEN
   */
  async add(input: { readonly directory: string; readonly name: RepoName }): Promise<AddedBaseModel> {
    const loaded = await loadBaseModelFiles(input.directory);
    await loadTextCodec(loaded.directory);
    const digest = await this.digest(loaded, createWeightCheck(loaded));
    const existing = await this.registry.findBaseModel(input.name);
    if (existing?.digest === digest) assertSameConfig(existing, loaded);
    const baseModel = await this.registry.addBaseModel({
      name: input.name,
      digest,
      directory: loaded.directory,
      architecture: architectureOf(loaded),
      config: { ...loaded.rawConfig },
      parameterCount: loaded.parameterCount,
      weightBytes: loaded.weightBytes,
      contextLength: loaded.config.maxPositionEmbeddings,
      vocabularySize: loaded.config.vocabularySize,
    });
    this.knownStates.set(digest, stateOf(loaded));
    return { baseModel, created: existing === undefined };
  }

  /** @throws BraidError UNKNOWN_BASE_MODEL */
  get(name: RepoName): Promise<BaseModel> {
    return this.registry.getBaseModel(name);
  }

  /** All base models by name. */
  list(): Promise<BaseModel[]> {
    return this.registry.listBaseModels();
  }

  /**
   * The files of a registered model, for the runtime.
   * @throws BraidError UNKNOWN_BASE_MODEL, BASE_MODEL_GONE, BASE_MODEL_CHANGED
   */
  async load(digest: Digest): Promise<BaseModelFiles> {
    const baseModel = await this.registry.getBaseModelByDigest(digest);
    const loaded = await this.reload(baseModel);
    if (!isDeepStrictEqual(loaded.config, configOf(baseModel))) {
      throw fail('BASE_MODEL_CHANGED', { name: baseModel.name, reason: describeConfigChange(baseModel, loaded) });
    }
    await this.assertSameWeights(baseModel, loaded);
    const { weightsDirectory, config, tensors } = loaded;
    return { directory: weightsDirectory, config, tensors };
  }

  private async reload(baseModel: BaseModel): Promise<LoadedBaseModel> {
    try {
      return await loadBaseModelFiles(baseModel.directory);
    } catch (error) {
      if (!(error instanceof BraidError)) throw error;
      throw fail('BASE_MODEL_GONE', { name: baseModel.name, reason: error.message }, error);
    }
  }

  /** A file that was touched after it was registered is read again: moving or linking it touches it as well as writing does. */
  private async assertSameWeights(baseModel: BaseModel, loaded: LoadedBaseModel): Promise<void> {
    const state = stateOf(loaded);
    if (this.knownStates.get(baseModel.digest) === state) return;
    const untouched = loaded.files.every(({ changedMs }) => changedMs < baseModel.createdAt.getTime() - COARSE_MS);
    if (!untouched && (await this.digest(loaded)) !== baseModel.digest) {
      const files = loaded.files.map(({ file }) => file).join(', ');
      throw fail('BASE_MODEL_CHANGED', { name: baseModel.name, reason: `the weights in ${files} are others` });
    }
    this.knownStates.set(baseModel.digest, state);
  }

  private async digest({ directory, files }: LoadedBaseModel, onPiece?: (file: string, piece: Uint8Array) => void): Promise<Digest> {
    try {
      return await digestWeights(
        directory,
        files.map(({ file }) => file),
        onPiece,
      );
    } catch (cause) {
      if (cause instanceof BraidError) throw cause;
      throw fail('BASE_MODEL_DIRECTORY_INVALID', { directory, reason: `its weights cannot be read: ${describeFileError(cause)}` }, cause);
    }
  }
}

/** The model's configuration as it was registered. */
export function configOf(baseModel: BaseModel): ModelConfig {
  return parseModelConfig(baseModel.config);
}

/** For the pieces of the weight files as they are read; throws BASE_MODEL_NOT_FINITE. */
function createWeightCheck({ files, programTensors }: LoadedBaseModel): (file: string, piece: Uint8Array) => void {
  const scans = new Map(
    files.map(({ file, place }) => [file, createFiniteScan(new Map([...programTensors].filter(([, tensor]) => tensor.file === place)))]),
  );
  return (file, piece) => {
    const bad = scans.get(file)?.(piece);
    if (bad !== undefined) throw fail('BASE_MODEL_NOT_FINITE', { ...bad });
  };
}

function stateOf({ directory, files }: LoadedBaseModel): string {
  return JSON.stringify([directory, files]);
}

function architectureOf({ rawConfig, config }: LoadedBaseModel): string {
  const { architectures } = rawConfig;
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return typeof first === 'string' ? first : config.architecture;
}

function assertSameConfig(baseModel: BaseModel, loaded: LoadedBaseModel): void {
  if (isDeepStrictEqual(loaded.config, configOf(baseModel))) return;
  const { directory } = loaded;
  throw fail('BASE_MODEL_CONFIG_DIFFERS', { name: baseModel.name, directory, reason: describeConfigChange(baseModel, loaded) });
}

function describeConfigChange(baseModel: BaseModel, { config }: LoadedBaseModel): string {
  const before = new Map(Object.entries(configOf(baseModel)) as [string, unknown][]);
  const changed = (Object.entries(config) as [string, unknown][]).filter(([field, value]) => !isDeepStrictEqual(before.get(field), value));
  const shown = (value: unknown): string => JSON.stringify(value) ?? 'absent';
  return `config.json differs in ${changed.map(([field, value]) => `${field} (${shown(before.get(field))} then, ${shown(value)} now)`).join(', ')}`;
}
