// Publishing: an upload becomes a checked, stored, immutable adapter version. Parse and check, store the bytes, verify on the model, write the row.
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type Digest, type RepoName, type Version } from '#src/ids/ids.js';
import { type AdapterVersion, type VersionFile } from '#src/registry/adapter-version.entity.js';
import { type BaseModel } from '#src/registry/base-model.entity.js';
import { type Added, RegistryService } from '#src/registry/registry.service.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import { BASE_MODEL_SOURCE, type BaseModelSource } from '#src/runtime/sources.js';
import { SignaturesService } from '#src/signatures/signatures.service.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { AdapterStore } from './adapter-store.js';
import { convertGguf } from './convert-gguf.js';
import { prepareAdapter, type PreparedAdapter } from './prepare-adapter.js';
import { indexUploads, removeUploads, UPLOAD_FILES, type UploadedFile, type UploadFileName } from './upload-storage.js';
import { createProbe, verifyAdapter } from './verify-adapter.js';

export interface PublishInput {
  readonly name: RepoName;
  readonly base: RepoName;
  /** Undefined: the next one, or the latest when that is the same adapter. */
  readonly version: Version | undefined;
  readonly tags: readonly string[];
  readonly files: readonly UploadedFile[];
}

export interface PublishedAdapter {
  /** With its repository and base model. */
  readonly version: AdapterVersion;
  /** False when this very adapter was there under this name and version already. */
  readonly created: boolean;
  /** What the publisher should know although nothing is wrong. */
  readonly warnings: readonly string[];
}

type Files = ReadonlyMap<UploadFileName, UploadedFile>;

@Injectable()
export class PublishService {
  /** Publishes take turns from storing on, so that one that fails never takes away what another has come to rely on. */
  private turn: Promise<unknown> = Promise.resolve();
  private readonly logger = new Logger('publish');

  constructor(
    private readonly registry: RegistryService,
    private readonly adapters: AdapterStore,
    private readonly tokenizers: TokenizerService,
    private readonly signatures: SignaturesService,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(BASE_MODEL_SOURCE) private readonly baseModels: BaseModelSource,
  ) {}

  /**
   * Publishes an adapter; a failure leaves nothing behind.
   * @throws BraidError of publish.errors.ts, peft.errors.ts, gguf.errors.ts, safetensors.errors.ts, examples.errors.ts, registry.errors.ts, runtime.errors.ts
   */
  async publish(input: PublishInput): Promise<PublishedAdapter> {
    const uploads = indexUploads(input.files);
    const baseModel = await this.registry.getBaseModel(input.base);
    const made: UploadedFile[] = [];
    try {
      return await this.publishFiles(input, await convertGguf(uploads, baseModel, made), baseModel);
    } finally {
      await removeUploads(made);
    }
  }

  private async publishFiles(input: PublishInput, files: Files, baseModel: BaseModel): Promise<PublishedAdapter> {
    const codec = await this.tokenizers.get(baseModel);
    const prepared = await prepareAdapter(files, baseModel, codec, input.tags, () => this.baseModels.load(baseModel.digest));
    const commit = this.turn.then(() => this.commit(input, files, baseModel, prepared));
    this.turn = commit.catch(() => undefined);
    return commit;
  }

  private async commit(input: PublishInput, files: Files, baseModel: BaseModel, prepared: PreparedAdapter): Promise<PublishedAdapter> {
    const { facts, warnings } = prepared;
    const existing = await this.findSame(input, facts.digest);
    if (existing !== undefined) return { version: existing, created: false, warnings: [...warnings, ...describeLoss(existing, prepared)] };

    const made: string[] = [];
    let added: Added<AdapterVersion>;
    try {
      await this.adapters.storeAdapter(facts, getFile(files, 'adapter_model.safetensors'), made);
      const check = await this.verify(baseModel, prepared);
      await this.adapters.storeFiles([...files.values()], made);
      added = await this.registry.addAdapterVersion({
        name: input.name,
        baseModel,
        version: input.version,
        ...describeVersion(files, prepared),
        verification: { ...check, delta: { ...facts.delta } },
      });
    } catch (error) {
      await this.adapters.discard(made);
      throw error;
    }
    if (added.created) await this.sign(baseModel, added.version, prepared);
    return { ...added, warnings };
  }

  /** The version that a repeated publish means. */
  private async findSame({ name, base, version }: PublishInput, digest: Digest): Promise<AdapterVersion | undefined> {
    const rows = await this.registry.listAdapterVersionsByDigest(digest);
    return rows.find(
      (row) =>
        row.repository.fullName === name &&
        row.repository.baseModel.name === base &&
        (version === undefined ? row.isLatest : row.version === version),
    );
  }

  /** Lets the adapter be found by likeness. It is published whatever comes of it: who looks for a version without a signature gives it one. */
  private async sign(baseModel: BaseModel, version: AdapterVersion, { examples }: PreparedAdapter): Promise<void> {
    try {
      await this.signatures.sign(baseModel, version, examples);
    } catch (error) {
      this.logger.warn(`${version.repository.fullName}@${version.version} has no signature yet`, { err: error });
    }
  }

  private async verify(baseModel: BaseModel, { facts, examples }: PreparedAdapter): Promise<Awaited<ReturnType<typeof verifyAdapter>>> {
    const engine = await this.engines.get(baseModel.digest);
    const codec = await this.tokenizers.get(baseModel);
    return verifyAdapter(engine, facts.digest, createProbe(codec, engine, examples));
  }
}

function getFile(files: Files, name: UploadFileName): UploadedFile {
  const file = files.get(name);
  if (file === undefined) throw new Error(`an upload without ${name}`);
  return file;
}

function describeVersion(files: Files, { config, rawConfig, facts, card, description, tags }: PreparedAdapter) {
  const present = UPLOAD_FILES.flatMap((name): VersionFile[] => {
    const file = files.get(name);
    return file === undefined ? [] : [{ path: name, sizeBytes: file.sizeBytes, digest: file.digest }];
  });
  return {
    digest: facts.digest,
    peftType: config.peftType,
    rank: facts.rank,
    alpha: config.alpha,
    useRslora: config.useRslora,
    targetModules: [...facts.targetModules],
    parameterCount: facts.parameterCount,
    sizeBytes: getFile(files, 'adapter_model.safetensors').sizeBytes,
    description,
    card,
    tags: [...tags],
    adapterConfig: rawConfig,
    examplesDigest: files.get('examples.jsonl')?.digest ?? null,
    files: present,
  };
}

/** A version never changes, its card and tags included: a repeated publish with others must not look as if it had set them. */
function describeLoss(existing: AdapterVersion, { card, tags }: PreparedAdapter): string[] {
  const differing = [
    ...(existing.card === card ? [] : ['README.md']),
    ...(String([...existing.tags].sort()) === String([...tags].sort()) ? [] : ['tags']),
  ];
  if (differing.length === 0) return [];
  return [
    `This adapter is published as version ${existing.version} already; its ${differing.join(' and ')} stay as they are. Publish it under a new version to change them.`,
  ];
}
