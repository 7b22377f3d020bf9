// What the hub's routes take and answer: the routes' own types where they have some. Types only: nothing of the hub is loaded.
import type { ComposeRequest } from '#src/compose/compose.dto.js';

export type { BaseModelView } from '#src/base-models/base-models.dto.js';

export interface AdapterView {
  readonly name: string;
  readonly version: string;
  readonly baseModel: string;
  readonly digest: string;
  readonly peftType: string;
  readonly rank: number;
  readonly alpha: number;
  readonly rslora: boolean;
  readonly targetModules: readonly string[];
  readonly parameterCount: number;
  readonly sizeBytes: number;
  readonly description: string;
  readonly tags: readonly string[];
  readonly card?: string;
  readonly versions?: readonly string[];
  readonly createdAt: string;
}

export interface PublishedView extends AdapterView {
  /** False when the same bytes were published under this version before. */
  readonly created: boolean;
}

export interface RepositoryView {
  readonly name: string;
  readonly kind: 'adapter' | 'composition';
  readonly baseModel: string;
  readonly latestVersion: string;
  readonly description?: string;
  readonly createdAt: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Pass as `after` to get the next page; null at the end. */
  readonly next: string | null;
}

export interface SearchItem {
  readonly name: string;
  readonly version: string;
  readonly kind: 'adapter' | 'composition';
  readonly baseModel: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly rank: number | null;
  readonly targetModules: readonly string[];
}

export interface FacetCount {
  readonly value: string | number;
  readonly count: number;
}

export interface SearchPage extends Page<SearchItem> {
  readonly facets: Readonly<Record<string, readonly FacetCount[]>>;
}

export type { CompositionJobView, CompositionView, JobProgress } from '#src/compose/compose.views.js';
export type { CompositionReport } from '#src/compose/report.js';
export type { CurvePoint } from '#src/compose/evaluation-ledger.js';

/** What a job is started with; examples are sent as they were read. */
export type JobRequest = Omit<ComposeRequest, 'examples'> & { readonly examples: readonly unknown[] };

/** The part of an OpenAI completion that is read here. */
export interface CompletionView {
  readonly choices: readonly { readonly text: string }[];
}
