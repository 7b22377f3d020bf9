// Models as GET /v1/models shows them: OpenAI's fields, and vLLM's root, parent and max_model_len.
import type { BaseModel } from '#src/registry/base-model.entity.js';
import { promptOfModel, sizeOfPrompt } from '#src/registry/prompt-of-model.js';
import type { LatestVersion, PromptSize, ResolvedModel } from '#src/registry/registry.service.js';

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
  /** What a composition puts in front of every request, out of those tokens; null where it puts nothing. */
  readonly prompt: PromptSize | null;
}

export interface ModelList {
  readonly object: 'list';
  readonly data: ModelCard[];
}

type CardFacts = Pick<ModelCard, 'id' | 'root' | 'parent' | 'prompt'>;

function card({ id, root, parent, prompt }: CardFacts, created: Date, baseModel: BaseModel): ModelCard {
  return {
    id,
    object: 'model',
    created: Math.floor(created.getTime() / 1000),
    owned_by: root.split('/', 1)[0] ?? root,
    root,
    parent,
    max_model_len: baseModel.contextLength,
    prompt,
  };
}

export function baseModelCard(baseModel: BaseModel): ModelCard {
  return card({ id: baseModel.name, root: baseModel.name, parent: null, prompt: null }, baseModel.createdAt, baseModel);
}

/** An adapter or a composition under its bare name, which means its latest version. */
export function repositoryCard({ repository, version, prompt }: LatestVersion): ModelCard {
  const { fullName, baseModel, createdAt } = repository;
  return card({ id: fullName, root: `${fullName}@${version}`, parent: baseModel.name, prompt }, createdAt, baseModel);
}

/** @param id as the request wrote it, with or without version */
export function resolvedCard(id: string, resolved: ResolvedModel): ModelCard {
  const { kind, baseModel } = resolved;
  if (kind === 'base') return baseModelCard(baseModel);
  const { repository, version, createdAt } = resolved.version;
  const own = promptOfModel(resolved);
  const prompt = own === null ? null : sizeOfPrompt(own);
  return card({ id, root: `${repository.fullName}@${version}`, parent: baseModel.name, prompt }, createdAt, baseModel);
}
