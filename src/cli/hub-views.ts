// What the hub's routes answer, as far as the command line reads it.

export interface BaseModelView {
  readonly name: string;
  readonly digest: string;
  readonly directory: string;
  readonly architecture: string;
  readonly parameterCount: number;
  readonly weightBytes: number;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly createdAt: string;
}

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

export interface CompositionPart {
  readonly adapter: string;
  readonly version: string;
  readonly weight: number;
}

/** null: not finite. */
export interface Measured {
  readonly loss: number | null;
  readonly objective: number | null;
}

/** The best so far after this many evaluations; one for every improvement. */
export interface CurvePoint {
  readonly evaluations: number;
  readonly stage: string;
  readonly objective: number;
  readonly loss: number;
}

export interface CompositionView {
  readonly name: string;
  readonly version: string;
  readonly baseModel: string;
  readonly parts: readonly CompositionPart[];
  readonly recipe: {
    readonly optimizer: string;
    readonly seed: number;
    readonly budget: number;
    readonly candidates: readonly { readonly adapter: string; readonly version: string }[];
    readonly examples: { readonly count: number; readonly answerTokens: number };
  };
  readonly report: {
    readonly winner: string;
    readonly verdict: string;
    readonly composed: Measured;
    readonly base: Measured;
    readonly uniform: Measured;
    readonly singles: readonly (Measured & { readonly adapter: string; readonly version: string })[];
    readonly curve: readonly CurvePoint[];
    readonly evaluations: number;
    readonly budget: number;
    readonly seconds: number;
  };
  readonly createdAt: string;
}

export interface JobRequest {
  readonly name: string;
  readonly base: string;
  readonly examples: readonly unknown[];
  readonly adapters?: readonly string[];
  readonly query?: string;
  readonly top?: number;
  readonly budget?: number;
  readonly seed?: number;
  readonly optimizer?: string;
  readonly version?: string;
}

export interface JobProgress {
  readonly stage: string;
  readonly evaluations: number;
  readonly budget: number;
  /** null until a point could be evaluated. */
  readonly bestObjective: number | null;
  readonly bestLoss: number | null;
  readonly elapsedMs: number;
}

export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly base: string;
  readonly status: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly candidates: readonly string[];
  readonly examples: number;
  readonly progress: JobProgress;
  readonly composition: CompositionView | null;
  readonly error: { readonly code: string; readonly message: string; readonly retryable: boolean } | null;
  readonly createdAt: string;
}

/** The part of an OpenAI completion that is read here. */
export interface CompletionView {
  readonly choices: readonly { readonly text: string }[];
}
