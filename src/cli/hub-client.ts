// The hub's routes, typed: one method a route.
import { type EventSourceMessage } from 'eventsource-parser/stream';
import { HubHttp } from './hub-http.js';
import {
  type AdapterView,
  type BaseModelView,
  type ComparisonView,
  type CompletionView,
  type CompositionView,
  type EvaluationDifferenceView,
  type EvaluationListView,
  type EvaluationRequest,
  type EvaluationView,
  type ExportView,
  type HubStatsView,
  type JobListView,
  type JobRequest,
  type CompositionJobView,
  type LikeSearchRequest,
  type LikeSearchResult,
  type OverlapView,
  type PublishedAdapterView,
  type RepositoryListView,
  type SearchResult,
  type SpectraView,
} from './hub-views.js';

export interface SearchQuery {
  readonly q: string;
  readonly base?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly minRank?: number | undefined;
  readonly maxRank?: number | undefined;
  readonly targetModule?: readonly string[] | undefined;
  readonly peftType?: string | undefined;
  readonly kind?: string | undefined;
  readonly evaluated?: string | undefined;
  readonly minExactMatch?: number | undefined;
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
}

export interface ListQuery {
  readonly kind?: string | undefined;
  readonly base?: string | undefined;
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
}

export interface ExportQuery {
  readonly version?: string | undefined;
  readonly rank?: number | undefined;
}

export interface JobsQuery {
  readonly status?: string | undefined;
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
}

export class HubClient {
  readonly http: HubHttp;

  /** @throws CliError INVALID_URL */
  constructor(url: string) {
    this.http = new HubHttp(url);
  }

  get url(): string {
    return this.http.url;
  }

  async listBaseModels(): Promise<readonly BaseModelView[]> {
    return (await this.http.json<{ items: readonly BaseModelView[] }>('/api/base-models')).items;
  }

  getBaseModel(name: string): Promise<BaseModelView> {
    return this.http.json(`/api/base-models/${path(name)}`);
  }

  /** config.json as it was registered. */
  getBaseModelConfig(name: string): Promise<unknown> {
    return this.http.json(`/api/base-models/${path(name)}/config`);
  }

  addBaseModel(model: { readonly directory: string; readonly name: string }): Promise<BaseModelView> {
    return this.http.json('/api/base-models', { method: 'POST', json: model });
  }

  /** `created` is false when the same adapter was there under this name and version already. */
  async publish(form: FormData): Promise<PublishedAdapterView & { readonly created: boolean }> {
    const { status, body } = await this.http.answer<PublishedAdapterView>('/api/adapters', { method: 'POST', form });
    return { ...body, created: status === 201 };
  }

  getAdapter(name: string, version?: string): Promise<AdapterView> {
    return this.http.json(`/api/adapters/${path(name)}`, { query: { version } });
  }

  listRepositories(query: ListQuery): Promise<RepositoryListView> {
    return this.http.json('/api/repositories', { query: { ...query } });
  }

  search(query: SearchQuery): Promise<SearchResult> {
    return this.http.json('/api/search', { query: { ...query } });
  }

  searchLike(request: LikeSearchRequest): Promise<LikeSearchResult> {
    return this.http.json('/api/search/like', { method: 'POST', json: request });
  }

  startJob(request: JobRequest): Promise<{ readonly id: string }> {
    return this.http.json('/api/compositions/jobs', { method: 'POST', json: request });
  }

  getJob(id: string): Promise<CompositionJobView> {
    return this.http.json(`/api/compositions/jobs/${encodeURIComponent(id)}`);
  }

  listJobs(query: JobsQuery): Promise<JobListView> {
    return this.http.json('/api/compositions/jobs', { query: { ...query } });
  }

  recompose(name: string, request: { readonly priority?: string | undefined }): Promise<{ readonly id: string }> {
    return this.http.json(`/api/compositions/${path(name)}/recompose`, { method: 'POST', json: request });
  }

  /** @param options.lastEventId of the stream before, to go on behind it */
  jobEvents(
    id: string,
    options: { readonly lastEventId?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<EventSourceMessage> {
    return this.http.events(`/api/compositions/jobs/${encodeURIComponent(id)}/events`, options);
  }

  cancelJob(id: string): Promise<CompositionJobView> {
    return this.http.json(`/api/compositions/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
  }

  getComposition(name: string, version?: string): Promise<CompositionView> {
    return this.http.json(`/api/compositions/${path(name)}`, { query: { version } });
  }

  startEvaluation(request: EvaluationRequest): Promise<EvaluationView> {
    return this.http.json('/api/evaluations', { method: 'POST', json: request });
  }

  getEvaluation(id: string): Promise<EvaluationView> {
    return this.http.json(`/api/evaluations/${encodeURIComponent(id)}`);
  }

  evaluationEvents(
    id: string,
    options: { readonly lastEventId?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<EventSourceMessage> {
    return this.http.events(`/api/evaluations/${encodeURIComponent(id)}/events`, options);
  }

  cancelEvaluation(id: string): Promise<EvaluationView> {
    return this.http.json(`/api/evaluations/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
  }

  /** The second minus the first. */
  compareEvaluations(first: string, second: string): Promise<EvaluationDifferenceView> {
    return this.http.json(`/api/evaluations/${encodeURIComponent(first)}/difference/${encodeURIComponent(second)}`);
  }

  /** The newest finished evaluation of each name of a model. */
  async listEvaluations(model: string): Promise<readonly EvaluationView[]> {
    return (await this.http.json<EvaluationListView>('/api/evaluations', { query: { model } })).items;
  }

  /** The report as a page of HTML. */
  getReport(name: string, version?: string): Promise<string> {
    return this.http.html(`/api/compositions/${path(name)}/report`, { query: { version } });
  }

  /** @param target classes of modules; all without it */
  inspect(model: string, target?: readonly string[]): Promise<SpectraView> {
    return this.http.json('/api/spectra', { query: { model, target } });
  }

  /** @param target as of {@link inspect} */
  compareSpectra(first: string, second: string, target?: readonly string[]): Promise<OverlapView> {
    return this.http.json('/api/spectra/overlap', { query: { first, second, target } });
  }

  /** What an export holds. */
  getExport(name: string, format: string, query: ExportQuery): Promise<ExportView> {
    return this.http.json(`/api/exports/${path(name)}/${format}`, { query: { ...query } });
  }

  /** The bytes of one of its files. */
  exportFile(name: string, format: string, file: string, query: ExportQuery): AsyncGenerator<Uint8Array> {
    return this.http.bytes(`/api/exports/${path(name)}/${format}/${encodeURIComponent(file)}`, { query: { ...query } });
  }

  /** What the hub is doing now. */
  getStats(): Promise<HubStatsView> {
    return this.http.json('/api/stats');
  }

  complete(request: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<CompletionView> {
    return this.http.json('/v1/completions', { method: 'POST', json: request, signal });
  }

  /** One prompt through many models. */
  compare(request: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<ComparisonView> {
    return this.http.json('/v1/compare', { method: 'POST', json: request, signal });
  }

  completionEvents(request: Readonly<Record<string, unknown>>, signal?: AbortSignal): AsyncGenerator<EventSourceMessage> {
    return this.http.events('/v1/completions', { method: 'POST', json: { ...request, stream: true }, signal });
  }
}

/** `ns/name` as two path segments. */
function path(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}
