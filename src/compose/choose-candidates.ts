// Which adapter versions a request offers to the search: those it names, or what retrieval finds where there are more than it can take.
import { type BraidError } from '#src/http/braid-error.js';
import { parseVersionedName, type RepoName, type Version } from '#src/ids/ids.js';
import type { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import { DEFAULT_TOP } from './compose.dto.js';
import { failCompose } from './compose.errors.js';
import type { Candidate } from './report.js';
import { MOST_RETRIEVED, type Retrieved, type RetrieveReport } from './stages/retrieve.js';

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
  /** The best for the task of the request. */
  retrieve(request: { readonly query?: string | undefined; readonly limit: number }): Promise<Retrieved>;
}

export interface ChosenCandidates {
  readonly candidates: readonly Candidate[];
  /** What retrieval did; undefined where it was not needed. */
  readonly retrieval: RetrieveReport | undefined;
}

/**
 * At least one candidate, each in one version; of versions with the same content the first is taken.
 * @throws BraidError ADAPTERS_OR_QUERY, CANDIDATE_REPEATED, ADAPTER_ON_OTHER_BASE, NO_CANDIDATES, UNKNOWN_ADAPTER, UNKNOWN_VERSION
 */
export async function chooseCandidates(request: CandidateRequest, base: BaseModel, source: CandidateSource): Promise<ChosenCandidates> {
  const { adapters, query, top } = request;
  if (adapters !== undefined && (query !== undefined || top !== undefined)) throw failCompose('ADAPTERS_OR_QUERY');
  const { versions, retrieval } =
    adapters === undefined
      ? await findVersions({ query, top }, base, source)
      : { versions: await namedVersions(adapters, source), retrieval: undefined };
  for (const { repository, version } of versions) {
    if (repository.baseModelId !== base.id) {
      throw failCompose('ADAPTER_ON_OTHER_BASE', {
        adapter: `${repository.fullName}@${version}`,
        found: repository.baseModel.name,
        base: base.name,
      });
    }
  }
  const all = versions.map(({ repository, version, digest }) => ({ adapter: repository.fullName, version, digest }));
  const candidates = all.filter(({ digest }, i) => all.findIndex((other) => other.digest === digest) === i);
  return { candidates, retrieval };
}

async function namedVersions(adapters: readonly string[], source: CandidateSource): Promise<AdapterVersion[]> {
  const names = adapters.map(parseVersionedName);
  for (const [i, { name }] of names.entries()) {
    if (names.findIndex((other) => other.name === name) !== i) throw failCompose('CANDIDATE_REPEATED', { adapter: name });
  }
  return Promise.all(names.map(({ name, version }) => source.getAdapterVersion(name, version)));
}

interface FoundVersions {
  readonly versions: readonly AdapterVersion[];
  readonly retrieval: RetrieveReport | undefined;
}

async function findVersions(
  { query, top }: Pick<CandidateRequest, 'query' | 'top'>,
  base: BaseModel,
  source: CandidateSource,
): Promise<FoundVersions> {
  const limit = top ?? (query === undefined ? MOST_RETRIEVED : DEFAULT_TOP);
  if (query === undefined) {
    const all = await source.listAdapters(base.name, limit + 1);
    if (all.length === 0) throw noCandidates(`nothing is published for ${base.name} yet`);
    if (all.length <= limit)
      return { versions: await Promise.all(all.map((name) => source.getAdapterVersion(name))), retrieval: undefined };
  }
  const { adapters, report } = await source.retrieve({ query, limit });
  if (adapters.length === 0) throw noCandidates(`no adapter on ${base.name} fits the query; other words, or "adapters", may help`);
  return {
    versions: await Promise.all(adapters.map(({ adapter, version }) => source.getAdapterVersion(adapter, version))),
    retrieval: report,
  };
}

function noCandidates(reason: string): BraidError {
  return failCompose('NO_CANDIDATES', { reason });
}
