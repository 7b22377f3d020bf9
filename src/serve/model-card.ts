// Models as GET /v1/models shows them: OpenAI's fields, and vLLM's root, parent and max_model_len.
import type { Version } from '#src/ids/ids.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import type { ResolvedModel } from '#src/registry/registry.service.js';
import type { Repository } from '#src/registry/repository.entity.js';

export interface ModelCard {
  readonly id: string;
  readonly object: 'model';
  /** Unix seconds. */
  readonly created: number;
  /** The namespace. */
  readonly owned_by: string;
  /** What the name stands for: a base model itself, or the version that is served under it. */
  readonly root: string;
  /** The base model of an adapter or a composition; null for a base model. */
  readonly parent: string | null;
  /** Tokens of prompt and answer together. */
  readonly max_model_len: number;
}

export interface ModelList {
  readonly object: 'list';
  readonly data: ModelCard[];
}

function card(id: string, root: string, created: Date, baseModel: BaseModel, parent: string | null): ModelCard {
  return {
    id,
    object: 'model',
    created: Math.floor(created.getTime() / 1000),
    owned_by: root.split('/', 1)[0] ?? root,
    root,
    parent,
    max_model_len: baseModel.contextLength,
  };
}

export function baseModelCard(baseModel: BaseModel): ModelCard {
  return card(baseModel.name, baseModel.name, baseModel.createdAt, baseModel, null);
}

/** An adapter or a composition under its bare name, which means its latest version. */
export function repositoryCard(repository: Repository, latest: Version): ModelCard {
  return card(
    repository.fullName,
    `${repository.fullName}@${latest}`,
    repository.createdAt,
    repository.baseModel,
    repository.baseModel.name,
  );
}

/** @param id as the request wrote it, with or without version */
export function resolvedCard(id: string, resolved: ResolvedModel): ModelCard {
  const { kind, baseModel } = resolved;
  if (kind === 'base') return baseModelCard(baseModel);
  const { version } = resolved;
  return card(id, `${version.repository.fullName}@${version.version}`, version.createdAt, baseModel, baseModel.name);
}
