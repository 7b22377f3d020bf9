// Which adapter versions a request offers to the search: those it names, those a query finds, or all on the base model.
import { type BraidError } from '#src/http/braid-error.js';
import { parseVersionedName, type RepoName, type Version } from '#src/ids/ids.js';
import type { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import { DEFAULT_TOP, MOST_CANDIDATES } from './compose.dto.js';
import { failCompose } from './compose.errors.js';
import type { Candidate } from './report.js';

export interface CandidateRequest {
  readonly adapters?: readonly string[] | undefined;
  readonly query?: string | undefined;
  readonly top?: number | undefined;
}

/** What is asked of registry and search. */
export interface CandidateSource {
  /** @throws BraidError UNKNOWN_ADAPTER, UNKNOWN_VERSION */
  getAdapterVersion(name: RepoName, version?: Version): Promise<AdapterVersion>;
  /** Names of at most `limit` adapters on the base model, in a fixed order. */
  listAdapters(base: RepoName, limit: number): Promise<readonly RepoName[]>;
  /** At most `limit` adapters on the base model that fit the words, best first. */
  findAdapters(query: string, base: RepoName, limit: number): Promise<readonly RepoName[]>;
}

/**
 * At least one candidate, each in one version; of versions with the same content the first is taken.
 * @throws BraidError ADAPTERS_OR_QUERY, CANDIDATE_REPEATED, ADAPTER_ON_OTHER_BASE, TOO_MANY_CANDIDATES, NO_CANDIDATES, UNKNOWN_ADAPTER, UNKNOWN_VERSION
 */
export async function chooseCandidates(request: CandidateRequest, base: BaseModel, source: CandidateSource): Promise<Candidate[]> {
  const { adapters, query, top } = request;
  if (adapters !== undefined && (query !== undefined || top !== undefined)) throw failCompose('ADAPTERS_OR_QUERY');
  if (query === undefined && top !== undefined) throw failCompose('ADAPTERS_OR_QUERY');
  const versions =
    adapters !== undefined
      ? await namedVersions(adapters, source)
      : await latestVersions(await findNames(query, top, base, source), source);
  for (const { repository, version } of versions) {
    if (repository.baseModelId !== base.id) {
      throw failCompose('ADAPTER_ON_OTHER_BASE', {
        adapter: `${repository.fullName}@${version}`,
        found: repository.baseModel.name,
        base: base.name,
      });
    }
  }
  const candidates = versions.map(({ repository, version, digest }) => ({ adapter: repository.fullName, version, digest }));
  return candidates.filter(({ digest }, i) => candidates.findIndex((other) => other.digest === digest) === i);
}

async function namedVersions(adapters: readonly string[], source: CandidateSource): Promise<AdapterVersion[]> {
  const names = adapters.map(parseVersionedName);
  for (const [i, { name }] of names.entries()) {
    if (names.findIndex((other) => other.name === name) !== i) throw failCompose('CANDIDATE_REPEATED', { adapter: name });
  }
  return Promise.all(names.map(({ name, version }) => source.getAdapterVersion(name, version)));
}

function latestVersions(names: readonly RepoName[], source: CandidateSource): Promise<AdapterVersion[]> {
  return Promise.all(names.map((name) => source.getAdapterVersion(name)));
}

async function findNames(
  query: string | undefined,
  top: number | undefined,
  base: BaseModel,
  source: CandidateSource,
): Promise<readonly RepoName[]> {
  if (query !== undefined) {
    const found = await source.findAdapters(query, base.name, top ?? DEFAULT_TOP);
    if (found.length === 0) throw noCandidates(`no adapter on ${base.name} fits the query; other words, or "adapters", may help`);
    return found;
  }
  const all = await source.listAdapters(base.name, MOST_CANDIDATES + 1);
  if (all.length > MOST_CANDIDATES) throw failCompose('TOO_MANY_CANDIDATES', { base: base.name, most: MOST_CANDIDATES });
  if (all.length === 0) throw noCandidates(`nothing is published for ${base.name} yet`);
  return all;
}

function noCandidates(reason: string): BraidError {
  return failCompose('NO_CANDIDATES', { reason });
}
