// The registry's writes. Each is one transaction; racing writers of a repository wait for each other at its row.
import { type EntityManager, type EntityTarget } from 'typeorm';
import { errorsOf } from '../http/braid-error.js';
import { createRowId, type Digest, type RepoName, type RowId, type Version } from '../ids/ids.js';
import { BaseModel } from './base-model.entity.js';
import { registryErrors } from './registry.errors.js';
import { Repository, type RepositoryKind } from './repository.entity.js';
import { isLater, nextVersion, versionKey } from './version-key.js';

const fail = errorsOf(registryErrors);

const KIND_WORDS = { base: 'a base model', adapter: 'an adapter', composition: 'a composition' } as const;
type NameKind = keyof typeof KIND_WORDS;

/** Makes `name` mean a model of this kind, or fails when it means another. @throws BraidError NAME_TAKEN */
export async function claimName(manager: EntityManager, name: RepoName, kind: NameKind): Promise<void> {
  await manager.query('INSERT INTO model_names (name, kind) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [name, kind]);
  // A statement of its own sees what a racing transaction has committed meanwhile.
  const rows: { kind: NameKind }[] = await manager.query('SELECT kind FROM model_names WHERE name = $1', [name]);
  const found = rows[0]?.kind ?? kind;
  if (found !== kind) throw fail('NAME_TAKEN', { name, kind: KIND_WORDS[found] });
}

/**
 * The repository's row, made when absent, locked until the transaction ends.
 * @throws BraidError NAME_TAKEN, BASE_MODEL_MISMATCH
 */
export async function lockRepository(
  manager: EntityManager,
  name: RepoName,
  kind: RepositoryKind,
  baseModel: BaseModel,
): Promise<Repository> {
  await claimName(manager, name, kind);
  const [namespace = '', shortName = ''] = name.split('/');
  await manager
    .createQueryBuilder()
    .insert()
    .into(Repository)
    .values({ id: createRowId(), namespace, name: shortName, kind, baseModelId: baseModel.id })
    .orIgnore()
    .updateEntity(false)
    .execute();
  const repository = await manager.findOneOrFail(Repository, {
    where: { namespace, name: shortName },
    lock: { mode: 'pessimistic_write' },
  });
  if (repository.baseModelId !== baseModel.id) {
    const expected = await manager.findOneByOrFail(BaseModel, { id: repository.baseModelId });
    throw fail('BASE_MODEL_MISMATCH', { name, expected: expected.name, found: baseModel.name });
  }
  repository.baseModel = baseModel;
  return repository;
}

/** What both kinds of version rows have. */
interface VersionRow {
  id: RowId;
  repositoryId: RowId;
  repository: Repository;
  version: Version;
  versionKey: string;
  isLatest: boolean;
  digest: Digest;
  createdAt: Date;
}

/** How a new version finds its place in a locked repository. */
export type Placement<Row> =
  | { readonly existing: Row }
  | { readonly existing: undefined; readonly version: Version; readonly versionKey: string; readonly isLatest: boolean };

/**
 * Decides about one more version: the same content under the same version (or, unnumbered, as the latest one) is there already; other
 * content needs a version of its own. Where the new version becomes the latest, the old one's flag is taken away.
 * @throws BraidError VERSION_EXISTS
 */
export async function placeVersion<Row extends VersionRow>(
  manager: EntityManager,
  entity: EntityTarget<Row>,
  repository: Repository,
  name: RepoName,
  wanted: { readonly version: Version | undefined; readonly digest: Digest },
): Promise<Placement<Row>> {
  const rows = await manager
    .createQueryBuilder(entity, 'row')
    .where('row.repositoryId = :repositoryId', { repositoryId: repository.id })
    .orderBy('row.versionKey', 'DESC')
    .getMany();
  const latest = rows.find((row) => row.isLatest);
  if (wanted.version === undefined && latest?.digest === wanted.digest) return { existing: latest };
  const version = wanted.version ?? nextVersion(latest?.version);
  const same = rows.find((row) => row.version === version);
  if (same !== undefined) {
    if (same.digest === wanted.digest) return { existing: same };
    throw fail('VERSION_EXISTS', { name, version, existing: rows.map((row) => row.version) });
  }
  const isLatest = latest === undefined || isLater(version, latest.version);
  if (isLatest && latest !== undefined) {
    // Before the new row is inserted: a unique index allows one latest version.
    latest.isLatest = false;
    await manager.save(latest);
  }
  return { existing: undefined, version, versionKey: versionKey(version), isLatest };
}
