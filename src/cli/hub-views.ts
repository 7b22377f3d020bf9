// What the hub's routes take and answer: the routes' own types where they have some. Types only: nothing of the hub is loaded.
import type { ComposeRequest } from '#src/compose/compose.dto.js';
import type { EvaluateRequest } from '#src/evaluate/evaluate.dto.js';

export type { BaseModelView } from '#src/base-models/base-models.dto.js';

export type { AdapterView, PublishedAdapterView, RepositoryListView, RepositoryView } from '#src/publish/publish.views.js';
export type { ExportView } from '#src/export/export.dto.js';
export type { LikeSearchRequest, LikeSearchResult } from '#src/search/like-search.dto.js';
export type { SearchItem, SearchResult } from '#src/search/search.dto.js';

export type { CompositionJobView, CompositionView, JobListView, JobProgress } from '#src/compose/compose.views.js';
export type { CompositionReport } from '#src/compose/report.js';
export type { CurvePoint } from '#src/compose/evaluation-ledger.js';

export type { EvaluationDifferenceView, EvaluationListView, EvaluationProgress, EvaluationView } from '#src/evaluate/evaluate.views.js';
export type { ModuleOverlapView, ModuleSpectrumView, OverlapView, SpectraView } from '#src/spectra/spectra.views.js';
export type { HubStatsView, ModelStatsView } from '#src/metrics/hub-stats.view.js';
export type { Estimate } from '#src/statistics/bootstrap.js';

/** What an evaluation is started with; examples are sent as they were read. */
export type EvaluationRequest = Omit<EvaluateRequest, 'examples' | 'choices'> & {
  readonly examples: readonly unknown[];
  readonly choices?: readonly string[];
};

/** What a job is started with; examples are sent as they were read. */
export type JobRequest = Omit<ComposeRequest, 'examples'> & { readonly examples: readonly unknown[] };

export type { Comparison as ComparisonView } from '#src/serve/compare/compare.service.js';

/** The part of an OpenAI completion that is read here. */
export interface CompletionView {
  readonly choices: readonly { readonly index: number; readonly text: string }[];
}
