// What exists: base models, repositories and their versions. The only writer of these rows.
import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { errorsOf } from '../http/braid-error.js';
import { createRowId, type Digest, digestOf, type RepoName, type Version, type VersionedName } from '../ids/ids.js';
import { AdapterVersion } from './adapter-version.entity.js';
import { assertStorableFields } from './assert-storable.js';
import { BaseModel } from './base-model.entity.js';
import { CompositionVersion } from './composition-version.entity.js';
import { nearHint, nearNames } from './near-names.js';
import { claimName, lockRepository, placeVersion } from './registry-writer.js';
import { registryErrors } from './registry.errors.js';
import {
  type Added,
  type LatestVersion,
  type NewAdapterVersion,
  type NewBaseModel,
  type NewCompositionVersion,
  type PromptSize,
  type RepositoryListing,
  type ResolvedModel,
} from './registry.types.js';
import { Repository } from './repository.entity.js';
import { writeSearchDocument } from './search-document.js';

export type * from './registry.types.js';

const fail = errorsOf(registryErrors);

// How many names are looked through for one that a mistyped name may have meant.
const MAX_NEAR_CANDIDATES = 2_000;

@Injectable()
export class RegistryService {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Adds a base model. The same name with the same weights is that one again, its directory brought up to date.
   * @throws BraidError BASE_MODEL_CONFLICT, BASE_MODEL_EXISTS, NAME_TAKEN, UNSTORABLE_TEXT
   */
  async addBaseModel(input: NewBaseModel): Promise<BaseModel> {
    assertStorableFields(input);
    return this.dataSource.transaction(async (manager) => {
      await claimName(manager, input.name, 'base');
      await manager
        .createQueryBuilder()
        .insert()
        .into(BaseModel)
        // TypeORM's partial type does not reach into open JSON.
        .values({ ...input, config: input.config as object, id: createRowId() })
        .orIgnore()
        .updateEntity(false)
        .execute();
      const byName = await manager.findOneBy(BaseModel, { name: input.name });
      if (byName === null) {
        const { name: existing } = await manager.findOneByOrFail(BaseModel, { digest: input.digest });
        throw fail('BASE_MODEL_EXISTS', { name: input.name, existing });
      }
      if (byName.digest !== input.digest) throw fail('BASE_MODEL_CONFLICT', { name: input.name });
      if (byName.directory !== input.directory) {
        await manager.update(BaseModel, { id: byName.id }, { directory: input.directory });
        byName.directory = input.directory;
      }
      return byName;
    });
  }

  async findBaseModel(name: RepoName): Promise<BaseModel | undefined> {
    return (await this.dataSource.manager.findOneBy(BaseModel, { name })) ?? undefined;
  }

  /** @throws BraidError UNKNOWN_BASE_MODEL */
  async getBaseModel(name: RepoName): Promise<BaseModel> {
    const found = await this.findBaseModel(name);
    if (found === undefined) throw fail('UNKNOWN_BASE_MODEL', { name, ...(await this.near(name, 'base', '`braid models`')) });
    return found;
  }

  /** @throws BraidError UNKNOWN_BASE_MODEL */
  async getBaseModelByDigest(digest: Digest): Promise<BaseModel> {
    const found = await this.dataSource.manager.findOneBy(BaseModel, { digest });
    if (found === null) throw fail('UNKNOWN_BASE_MODEL', { name: digest, near: [], hint: '`braid models` lists what there is.' });
    return found;
  }

  /** All base models by name. */
  async listBaseModels(): Promise<BaseModel[]> {
    return this.dataSource.manager.find(BaseModel, { order: { name: 'ASC' } });
  }

  /**
   * Adds an adapter version, or finds the same content there already.
   * @throws BraidError NAME_TAKEN, BASE_MODEL_MISMATCH, VERSION_EXISTS, UNSTORABLE_TEXT
   */
  async addAdapterVersion(input: NewAdapterVersion): Promise<Added<AdapterVersion>> {
    const { name, baseModel, version: wantedVersion, ...content } = input;
    assertStorableFields(content);
    return this.dataSource.transaction(async (manager) => {
      const repository = await lockRepository(manager, name, 'adapter', baseModel);
      const wanted = { version: wantedVersion, digest: content.digest };
      const placement = await placeVersion(manager, AdapterVersion, repository, name, wanted);
      if (placement.existing !== undefined) {
        placement.existing.repository = repository;
        return { version: placement.existing, created: false };
      }
      const { version, versionKey, isLatest } = placement;
      const id = createRowId();
      const row = manager.create(AdapterVersion, { ...content, id, repositoryId: repository.id, version, versionKey, isLatest });
      await manager.save(row);
      await writeSearchDocument(manager, 'adapter_versions', id, { name, ...content, body: content.card });
      row.repository = repository;
      return { version: row, created: true };
    });
  }

  /**
   * Adds a composition version, or finds the same content there already.
   * @throws BraidError NAME_TAKEN, BASE_MODEL_MISMATCH, VERSION_EXISTS, UNSTORABLE_TEXT
   */
  async addCompositionVersion(input: NewCompositionVersion): Promise<Added<CompositionVersion>> {
    const { name, baseModel, version: wantedVersion, prompt, ...content } = input;
    // Not the prompt: its column takes any text.
    assertStorableFields(content);
    const digest = digestOf(JSON.stringify([content.space, content.parts, content.recipe, ...(prompt === null ? [] : [prompt])]));
    return this.dataSource.transaction(async (manager) => {
      const repository = await lockRepository(manager, name, 'composition', baseModel);
      const placement = await placeVersion(manager, CompositionVersion, repository, name, { version: wantedVersion, digest });
      if (placement.existing !== undefined) {
        placement.existing.repository = repository;
        return { version: placement.existing, created: false };
      }
      const { version, versionKey, isLatest } = placement;
      const id = createRowId();
      const row = manager.create(CompositionVersion, {
        ...content,
        prompt: prompt?.examples ?? null,
        promptTokens: prompt?.tokens ?? null,
        digest,
        id,
        repositoryId: repository.id,
        version,
        versionKey,
        isLatest,
      });
      await manager.save(row);
      const body = content.parts.map((part) => part.adapter.replace('/', ' ')).join(' ');
      await writeSearchDocument(manager, 'composition_versions', id, { name, ...content, body });
      row.repository = repository;
      return { version: row, created: true };
    });
  }

  /** The version asked for, or the latest, with its repository and base model. @throws BraidError UNKNOWN_ADAPTER, UNKNOWN_VERSION */
  async getAdapterVersion(name: RepoName, version?: Version): Promise<AdapterVersion> {
    const repository = await this.findRepository(name);
    if (repository?.kind !== 'adapter') throw fail('UNKNOWN_ADAPTER', { name, ...(await this.near(name, 'adapter', '`braid list`')) });
    return this.getVersion(AdapterVersion, repository, version);
  }

  /** The version asked for, or the latest, with its repository and base model. @throws BraidError UNKNOWN_COMPOSITION, UNKNOWN_VERSION */
  async getCompositionVersion(name: RepoName, version?: Version): Promise<CompositionVersion> {
    const repository = await this.findRepository(name);
    if (repository?.kind !== 'composition') {
      throw fail('UNKNOWN_COMPOSITION', { name, ...(await this.near(name, 'composition', '`braid list`')) });
    }
    return this.getVersion(CompositionVersion, repository, version);
  }

  /** The repository with its base model. */
  async findRepository(name: RepoName): Promise<Repository | undefined> {
    const [namespace = '', shortName = ''] = name.split('/');
    const found = await this.dataSource.manager.findOne(Repository, {
      where: { namespace, name: shortName },
      relations: { baseModel: true },
    });
    return found ?? undefined;
  }

  /** What `ns/name` or `ns/name@version` means. @throws BraidError UNKNOWN_MODEL, UNKNOWN_VERSION, VERSION_OF_BASE_MODEL */
  async resolve(wanted: VersionedName): Promise<ResolvedModel> {
    const { name, version } = wanted;
    const repository = await this.findRepository(name);
    if (repository?.kind === 'adapter') {
      return { kind: 'adapter', baseModel: repository.baseModel, version: await this.getVersion(AdapterVersion, repository, version) };
    }
    if (repository?.kind === 'composition') {
      return {
        kind: 'composition',
        baseModel: repository.baseModel,
        version: await this.getVersion(CompositionVersion, repository, version),
      };
    }
    const baseModel = await this.findBaseModel(name);
    if (baseModel === undefined) throw fail('UNKNOWN_MODEL', { name, ...(await this.near(name, undefined, '/v1/models')) });
    if (version !== undefined) throw fail('VERSION_OF_BASE_MODEL', { name, version });
    return { kind: 'base', baseModel };
  }

  /** Repositories with their base models, by full name. */
  async listRepositories(listing: RepositoryListing): Promise<Repository[]> {
    const query = this.dataSource.manager
      .createQueryBuilder(Repository, 'repository')
      .innerJoinAndSelect('repository.baseModel', 'baseModel')
      // "C" orders by code point in both homes, whatever the server's locale.
      .orderBy('repository.fullName COLLATE "C"', 'ASC')
      .limit(listing.limit);
    if (listing.kind !== undefined) query.andWhere('repository.kind = :kind', { kind: listing.kind });
    if (listing.baseModel !== undefined) query.andWhere('baseModel.name = :baseModel', { baseModel: listing.baseModel });
    if (listing.after !== undefined) query.andWhere('repository.fullName > :after COLLATE "C"', { after: listing.after });
    return query.getMany();
  }

  /** Repositories with their base models and the version that the bare name means, by full name. */
  async listLatestVersions(listing: RepositoryListing): Promise<LatestVersion[]> {
    const repositories = await this.listRepositories(listing);
    const ids = repositories.map(({ id }) => id);
    const adapters = await this.dataSource.manager.find(AdapterVersion, {
      select: { repositoryId: true, version: true },
      where: { repositoryId: In(ids), isLatest: true },
    });
    // Not the prompts themselves: a thousand of them may be long.
    const compositions: (Pick<CompositionVersion, 'repositoryId' | 'version'> & { prompt: PromptSize | null })[] =
      await this.dataSource.query(
        `SELECT repository_id AS "repositoryId", version,
          CASE WHEN prompt IS NOT NULL THEN json_build_object('examples', json_array_length(prompt), 'tokens', prompt_tokens) END AS prompt
        FROM composition_versions WHERE is_latest AND repository_id = ANY ($1)`,
        [ids],
      );
    const latest = new Map([
      ...adapters.map(({ repositoryId, version }) => [repositoryId, { version, prompt: null }] as const),
      ...compositions.map(({ repositoryId, version, prompt }) => [repositoryId, { version, prompt }] as const),
    ]);
    return repositories.flatMap((repository) => {
      const found = latest.get(repository.id);
      return found === undefined ? [] : [{ repository, ...found }];
    });
  }

  /** Every version with this content, newest first, with repository and base model. */
  async listAdapterVersionsByDigest(digest: Digest): Promise<AdapterVersion[]> {
    return this.dataSource.manager.find(AdapterVersion, {
      where: { digest },
      relations: { repository: { baseModel: true } },
      order: { createdAt: 'DESC', id: 'ASC' },
    });
  }

  /** All versions of an adapter, highest first, with repository and base model. @throws BraidError UNKNOWN_ADAPTER */
  async listAdapterVersions(name: RepoName): Promise<AdapterVersion[]> {
    const repository = await this.findRepository(name);
    if (repository?.kind !== 'adapter') throw fail('UNKNOWN_ADAPTER', { name, ...(await this.near(name, 'adapter', '`braid list`')) });
    const rows = await this.dataSource.manager.find(AdapterVersion, {
      where: { repositoryId: repository.id },
      order: { versionKey: 'DESC' },
    });
    for (const row of rows) row.repository = repository;
    return rows;
  }

  private async getVersion<Row extends AdapterVersion | CompositionVersion>(
    entity: new () => Row,
    repository: Repository,
    version: Version | undefined,
  ): Promise<Row> {
    const query = this.dataSource.manager
      .createQueryBuilder(entity, 'row')
      .where('row.repositoryId = :repositoryId', { repositoryId: repository.id });
    if (version === undefined) query.andWhere('row.isLatest');
    else query.andWhere('row.version = :version', { version });
    const found = await query.getOne();
    if (found === null) {
      const rows = await this.dataSource.manager
        .createQueryBuilder(entity, 'row')
        .where('row.repositoryId = :repositoryId', { repositoryId: repository.id })
        .orderBy('row.versionKey', 'DESC')
        .getMany();
      throw fail('UNKNOWN_VERSION', { name: repository.fullName, version: version ?? 'latest', existing: rows.map((row) => row.version) });
    }
    found.repository = repository;
    return found;
  }

  private async near(
    name: RepoName,
    kind: 'base' | 'adapter' | 'composition' | undefined,
    list: string,
  ): Promise<{ near: string[]; hint: string }> {
    const rows: { name: string }[] = await this.dataSource.query(
      'SELECT name FROM model_names WHERE $1::text IS NULL OR kind = $1 ORDER BY created_at DESC LIMIT $2',
      [kind ?? null, MAX_NEAR_CANDIDATES],
    );
    const near = nearNames(
      name,
      rows.map((row) => row.name),
    );
    return { near, hint: nearHint(near, list) };
  }
}
