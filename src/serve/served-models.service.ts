// Which names can be served, and what each of them means: a base model and a mixture of adapters on it.
import { Injectable } from '@nestjs/common';
import { BraidError } from '#src/http/braid-error.js';
import { InvalidIdError, parseVersionedName } from '#src/ids/ids.js';
import type { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import { mixtureOfModel } from '#src/registry/mixture-of-model.js';
import { promptOfModel } from '#src/registry/prompt-of-model.js';
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import { findFactorMismatch } from '#src/registry/find-factor-mismatch.js';
import { type LatestVersion, RegistryService, type RepositoryListing, type ResolvedModel } from '#src/registry/registry.service.js';
import type { Mixture } from '#src/runtime/engine.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { fail as failRuntime } from '#src/runtime/runtime.errors.js';
import { baseModelCard, type ModelCard, type ModelList, repositoryCard, resolvedCard } from '#src/serve/model-card.js';
import type { ModelFieldsDto } from '#src/serve/model-fields.dto.js';
import { findRequestedAdapters, type RequestedAdapters, type RequestedPart } from '#src/serve/requested-adapters.js';
import { failServe } from '#src/serve/serve.errors.js';

/** What to compute for a request. */
export interface ServedModel {
  readonly baseModel: BaseModel;
  /** `ns/name@version` of the adapter or composition; `mixture` for what the request itself puts together; empty for the base alone. */
  readonly adapter: string;
  /** Empty for the base alone. */
  readonly mixture: Mixture;
  /** What a composition puts in front of every request. */
  readonly prompt: CompositionPrompt | null;
}

type Requested<Kind extends RequestedAdapters['kind']> = Extract<RequestedAdapters, { readonly kind: Kind }>;

const PAGE = 1000;
const KIND_NAMES = { base: 'a base model', adapter: 'an adapter', composition: 'a composition' } as const;

@Injectable()
export class ServedModelsService {
  constructor(private readonly registry: RegistryService) {}

  /**
   * What `model` means, alone or as the base under the adapters of the request.
   * @throws BraidError MODEL_NOT_FOUND, MIXTURE_NEEDS_BASE, MIXTURE_NOT_ADAPTER, MIXTURE_WRONG_BASE, FACTORS_DIFFER; as findRequestedAdapters
   */
  async resolve({ model, ...fields }: ModelFieldsDto): Promise<ServedModel> {
    const requested = findRequestedAdapters(fields);
    const resolved = await this.find(model, 'model');
    if (requested.kind === 'none') return servedModel(resolved);
    const { baseModel, kind } = resolved;
    if (kind !== 'base') {
      throw failServe('MIXTURE_NEEDS_BASE', {
        field: 'model',
        way: requested.field,
        model,
        kind: KIND_NAMES[kind],
        baseModel: baseModel.name,
      });
    }
    return requested.kind === 'named' ? this.resolveNamed(requested, baseModel) : this.resolveMixture(requested, baseModel);
  }

  /** Every name that can be served: base models first, then adapters and compositions, each under its bare name. */
  async list(): Promise<ModelList> {
    const data = (await this.registry.listBaseModels()).map(baseModelCard);
    for await (const version of this.latestVersions({})) data.push(repositoryCard(version));
    return { object: 'list', data };
  }

  /** Every adapter's latest version. @param model leaves those for its base model. @throws BraidError MODEL_NOT_FOUND */
  async listAdapters(model: string | undefined): Promise<LatestVersion[]> {
    const baseModel = model === undefined ? undefined : (await this.find(model, 'model')).baseModel.name;
    const adapters: LatestVersion[] = [];
    for await (const version of this.latestVersions({ kind: 'adapter', baseModel })) adapters.push(version);
    return adapters;
  }

  /** One name's card. @throws BraidError MODEL_NOT_FOUND */
  async get(id: string): Promise<ModelCard> {
    return resolvedCard(id, await this.find(id, 'model'));
  }

  /** The base model of a name. @param field where the name stands. @throws BraidError MODEL_NOT_FOUND */
  async getBaseName(name: string, field: string): Promise<string> {
    return (await this.find(name, field)).baseModel.name;
  }

  /** The adapter of a name. @param field where the name stands. @throws BraidError MODEL_NOT_FOUND, MIXTURE_NOT_ADAPTER */
  async getAdapter(name: string, field: string): Promise<Extract<ResolvedModel, { readonly kind: 'adapter' }>> {
    const resolved = await this.find(name, field);
    if (resolved.kind !== 'adapter') throw failServe('MIXTURE_NOT_ADAPTER', { field, name, kind: KIND_NAMES[resolved.kind] });
    return resolved;
  }

  private async *latestVersions(of: Pick<RepositoryListing, 'kind' | 'baseModel'>): AsyncGenerator<LatestVersion, void, undefined> {
    let after: string | undefined;
    for (;;) {
      const page = await this.registry.listLatestVersions({ ...of, limit: PAGE, after });
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)?.repository.fullName;
    }
  }

  private async resolveNamed({ field, name }: Requested<'named'>, baseModel: BaseModel): Promise<ServedModel> {
    const resolved = await this.find(name, field);
    assertSameBase({ field, name, resolved, baseModel });
    return servedModel(resolved);
  }

  private async resolveMixture({ space, parts }: Requested<'mixture'>, baseModel: BaseModel): Promise<ServedModel> {
    const versions = await Promise.all(parts.map((part) => this.resolvePart(part, baseModel)));
    const mismatch = space === 'factor' ? findFactorMismatch(versions) : undefined;
    if (mismatch !== undefined) throw failRuntime('FACTORS_DIFFER', { ...mismatch });
    return {
      baseModel,
      adapter: 'mixture',
      mixture: createMixture({ space, parts: versions.map(({ digest }, i) => ({ digest, weight: parts[i]?.weight ?? 0 })) }),
      prompt: null,
    };
  }

  private async resolvePart({ adapter: name, field }: RequestedPart, baseModel: BaseModel): Promise<AdapterVersion> {
    const resolved = await this.getAdapter(name, field);
    assertSameBase({ field, name, resolved, baseModel });
    return resolved.version;
  }

  /** Text that cannot be a name, such as `gpt-4`, is a model that does not exist. */
  private async find(model: string, field: string): Promise<ResolvedModel> {
    try {
      return await this.registry.resolve(parseVersionedName(model));
    } catch (error) {
      const isUnknown = error instanceof InvalidIdError || (error instanceof BraidError && error.status < 500);
      throw isUnknown ? failServe('MODEL_NOT_FOUND', { field, reason: sentence(error.message) }, error) : error;
    }
  }
}

function servedModel(resolved: ResolvedModel): ServedModel {
  const adapter = resolved.kind === 'base' ? '' : `${resolved.version.repository.fullName}@${resolved.version.version}`;
  return { baseModel: resolved.baseModel, adapter, mixture: createMixture(mixtureOfModel(resolved)), prompt: promptOfModel(resolved) };
}

interface NamedModel {
  readonly field: string;
  readonly name: string;
  readonly resolved: ResolvedModel;
  readonly baseModel: BaseModel;
}

/** @throws BraidError MIXTURE_WRONG_BASE */
function assertSameBase({ field, name, resolved, baseModel }: NamedModel): void {
  const { id, name: found } = resolved.baseModel;
  if (id !== baseModel.id) throw failServe('MIXTURE_WRONG_BASE', { field, name, found, expected: baseModel.name });
}

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}
