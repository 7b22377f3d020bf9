// Computes what tasks look like to a base model, and sees to it that the adapters on it have their signatures.
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type Digest } from '#src/ids/ids.js';
import { type AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { type BaseModel } from '#src/registry/base-model.entity.js';
import { type NewSignature, SignatureStore } from '#src/registry/signature-store.js';
import { ENGINES, type EmbedRow, type Engine, type Engines } from '#src/runtime/engine.js';
import { examplesKey } from '#src/storage/keys.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { parseExampleLines, tokenizeExamples, type TokenizedExample } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { REFERENCE_TEXTS, SIGNATURE_METHOD } from './signature-method.js';
import { createCardRows, createExampleRows, createTextRows, type TaskCard } from './signature-rows.js';
import { createReference, createSignature, type Reference } from './signature-vector.js';

// Versions that are looked at together: enough to fill the model's runs, few enough to lose little when the hub stops.
const FILL_PAGE = 16;

interface RowsOfTask {
  readonly source: NewSignature['source'];
  readonly rows: readonly EmbedRow[];
}

@Injectable()
export class SignaturesService {
  private readonly logger = new Logger('signatures');
  /** By digest of the base model. */
  private readonly references = new Map<Digest, Promise<Reference>>();
  /** Fillings under way, by digest of the base model: a second caller waits for the first. */
  private readonly fillings = new Map<Digest, Promise<number>>();

  constructor(
    private readonly store: SignatureStore,
    private readonly tokenizers: TokenizerService,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /**
   * The signature of a task by its examples.
   * @param examples at least one
   * @throws BraidError of tokenizer.errors.ts and runtime.errors.ts
   */
  async describeTask(baseModel: BaseModel, examples: readonly TokenizedExample[], signal?: AbortSignal): Promise<Float32Array> {
    const codec = await this.tokenizers.get(baseModel);
    const engine = await this.engines.get(baseModel.digest);
    const reference = await this.getReference(baseModel, engine);
    const rows = createExampleRows(examples, codec, engine);
    return createSignature(await engine.embed(rows, signal === undefined ? {} : { signal }), reference);
  }

  /**
   * Computes and stores the signature of an adapter version: of its examples, or of its card where it has none.
   * @param version with its repository
   * @throws BraidError of tokenizer.errors.ts and runtime.errors.ts
   */
  async sign(baseModel: BaseModel, version: AdapterVersion, examples: readonly TokenizedExample[]): Promise<void> {
    const card = { ...version, name: version.repository.fullName };
    const [signature] = await this.describe(baseModel, [await this.rowsOf(baseModel, examples, card)]);
    // Where neither examples nor card have a token there is nothing to be found by.
    if (signature !== undefined) await this.store.put(version, baseModel.id, signature);
  }

  /**
   * The adapter version's signature, computed now where it has none; undefined where neither examples nor card have a token.
   * @param version with its repository
   * @throws BraidError of tokenizer.errors.ts and runtime.errors.ts
   */
  async getSignature(baseModel: BaseModel, version: AdapterVersion): Promise<Float32Array | undefined> {
    const stored = await this.store.find(version, SIGNATURE_METHOD);
    if (stored !== undefined) return stored.vector;
    const [signature] = await this.describe(baseModel, [await this.rowsOfVersion(baseModel, version)]);
    if (signature !== undefined) await this.store.put(version, baseModel.id, signature);
    return signature?.vector;
  }

  /**
   * Gives the latest versions on the base model that have no signature of this method theirs, and says how many it gave.
   * @throws BraidError of tokenizer.errors.ts and runtime.errors.ts
   */
  fill(baseModel: BaseModel): Promise<number> {
    const under = this.fillings.get(baseModel.digest);
    if (under !== undefined) return under;
    const filling = this.fillAll(baseModel).finally(() => this.fillings.delete(baseModel.digest));
    this.fillings.set(baseModel.digest, filling);
    return filling;
  }

  private async fillAll(baseModel: BaseModel): Promise<number> {
    let filled = 0;
    let after: AdapterVersion['id'] | undefined;
    for (;;) {
      const versions = await this.store.listUnsigned(baseModel.id, SIGNATURE_METHOD, { limit: FILL_PAGE, after });
      if (versions.length === 0) break;
      after = versions.at(-1)?.id;
      const tasks: RowsOfTask[] = [];
      for (const version of versions) tasks.push(await this.rowsOfVersion(baseModel, version));
      const signatures = await this.describe(baseModel, tasks);
      for (const [i, version] of versions.entries()) {
        const signature = signatures[i];
        if (signature === undefined) continue;
        await this.store.put(version, baseModel.id, signature);
        filled++;
      }
    }
    if (filled > 0) this.logger.log(`computed the signatures of ${filled} adapters on ${baseModel.name}`);
    return filled;
  }

  private async rowsOfVersion(baseModel: BaseModel, version: AdapterVersion): Promise<RowsOfTask> {
    const card = { ...version, name: version.repository.fullName };
    try {
      return await this.rowsOf(baseModel, await this.readExamples(baseModel, version.examplesDigest), card);
    } catch (error) {
      // Examples that were sound when they were published: one damaged object must not keep all others from being found.
      this.logger.warn(`${card.name}@${version.version} is known by its card alone: its examples cannot be read`, { err: error });
      return this.rowsOf(baseModel, [], card);
    }
  }

  private async readExamples(baseModel: BaseModel, digest: Digest | null): Promise<TokenizedExample[]> {
    if (digest === null) return [];
    const text = Buffer.from(await this.objects.get(examplesKey(digest))).toString('utf8');
    return tokenizeExamples(parseExampleLines(text), await this.tokenizers.get(baseModel), baseModel.contextLength);
  }

  private async rowsOf(baseModel: BaseModel, examples: readonly TokenizedExample[], card: TaskCard): Promise<RowsOfTask> {
    const codec = await this.tokenizers.get(baseModel);
    return examples.length > 0
      ? { source: 'examples', rows: createExampleRows(examples, codec, baseModel) }
      : { source: 'card', rows: createCardRows(card, codec, baseModel) };
  }

  /** One signature a task, all tasks' rows in one call of the engine. */
  private async describe(baseModel: BaseModel, tasks: readonly RowsOfTask[]): Promise<(NewSignature | undefined)[]> {
    const engine = await this.engines.get(baseModel.digest);
    const reference = await this.getReference(baseModel, engine);
    const embedded = await engine.embed(tasks.flatMap(({ rows }) => rows));
    let first = 0;
    return tasks.map(({ source, rows }) => {
      const vectors = embedded.slice(first, (first += rows.length));
      if (vectors.length === 0) return undefined;
      return { method: SIGNATURE_METHOD, source, texts: rows.length, vector: createSignature(vectors, reference) };
    });
  }

  private getReference(baseModel: BaseModel, engine: Engine): Promise<Reference> {
    const kept = this.references.get(baseModel.digest);
    if (kept !== undefined) return kept;
    const embed = async (): Promise<Reference> => {
      const codec = await this.tokenizers.get(baseModel);
      return createReference(await engine.embed(createTextRows(REFERENCE_TEXTS, codec, baseModel)));
    };
    const reference = embed();
    this.references.set(baseModel.digest, reference);
    // A failure is not kept: the next request tries again.
    reference.catch(() => this.references.delete(baseModel.digest));
    return reference;
  }
}
