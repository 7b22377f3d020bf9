// What the registry takes and answers beyond its rows.
import { type RepoName, type Version } from '../ids/ids.js';
import { type AdapterVersion } from './adapter-version.entity.js';
import { type BaseModel } from './base-model.entity.js';
import { type CompositionPrompt, type CompositionVersion } from './composition-version.entity.js';
import { type RepositoryVersion } from './repository-version.js';
import { type Repository, type RepositoryKind } from './repository.entity.js';

export type NewBaseModel = Omit<BaseModel, 'id' | 'createdAt'>;

/** What a publish knows; `version` undefined asks for the next one. */
export interface NewAdapterVersion extends Omit<AdapterVersion, keyof RepositoryVersion> {
  readonly name: RepoName;
  readonly baseModel: BaseModel;
  readonly version: Version | undefined;
}

/** What a finished composition job knows; `version` undefined asks for the next one. */
export interface NewCompositionVersion extends Omit<CompositionVersion, keyof RepositoryVersion | 'digest' | 'prompt' | 'promptTokens'> {
  /** What goes in front of every request; null: nothing. */
  readonly prompt: CompositionPrompt | null;
  readonly name: RepoName;
  readonly baseModel: BaseModel;
  readonly version: Version | undefined;
}

/** The outcome of adding a version; `created` is false when the same content was there already. */
export interface Added<Row> {
  readonly version: Row;
  readonly created: boolean;
}

/** What a model name in a request means. */
export type ResolvedModel =
  | { readonly kind: 'base'; readonly baseModel: BaseModel }
  | { readonly kind: 'adapter'; readonly baseModel: BaseModel; readonly version: AdapterVersion }
  | { readonly kind: 'composition'; readonly baseModel: BaseModel; readonly version: CompositionVersion };

export interface RepositoryListing {
  readonly kind?: RepositoryKind | undefined;
  readonly baseModel?: RepoName | undefined;
  /** 1…1000 */
  readonly limit: number;
  /** Names up to and including this one are left out. */
  readonly after?: string | undefined;
}

/** How much a composition puts in front of every request. */
export interface PromptSize {
  /** Number of examples. */
  readonly examples: number;
  readonly tokens: number;
}

/** A repository and the version that its bare name means. */
export interface LatestVersion {
  readonly repository: Repository;
  readonly version: Version;
  /** null where requests are computed as they come. */
  readonly prompt: PromptSize | null;
}
