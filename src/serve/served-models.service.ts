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
import { RegistryService, type ResolvedModel } from '#src/registry/registry.service.js';
import type { Mixture } from '#src/runtime/engine.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { fail as failRuntime } from '#src/runtime/runtime.errors.js';
import type { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';
import { baseModelCard, type ModelCard, type ModelList, repositoryCard, resolvedCard } from '#src/serve/model-card.js';
import { failServe } from '#src/serve/serve.errors.js';

/** What to compute for a request. */
export interface ServedModel {
  readonly baseModel: BaseModel;
  /** Empty for the base alone. */
  readonly mixture: Mixture;
  /** What a composition puts in front of every request. */
  readonly prompt: CompositionPrompt | null;
}

const PAGE = 1000;
const KIND_NAMES = { base: 'a base model', adapter: 'an adapter', composition: 'a composition' } as const;

@Injectable()
export class ServedModelsService {
  constructor(private readonly registry: RegistryService) {}

  /**
   * What `model`, or the base `model` under an ad-hoc mixture, means.
   * @throws BraidError MODEL_NOT_FOUND, MIXTURE_NEEDS_BASE, MIXTURE_NOT_ADAPTER, MIXTURE_WRONG_BASE, FACTORS_DIFFER
   */
  async resolve(model: string, mixture: GenerationFieldsDto['mixture']): Promise<ServedModel> {
    const resolved = await this.find(model, 'model');
    if (mixture === undefined || mixture === null)
      return { baseModel: resolved.baseModel, mixture: createMixture(mixtureOfModel(resolved)), prompt: promptOfModel(resolved) };
    const { baseModel, kind } = resolved;
    if (kind !== 'base')
      throw failServe('MIXTURE_NEEDS_BASE', { field: 'model', model, kind: KIND_NAMES[kind], baseModel: baseModel.name });
    const isList = Array.isArray(mixture);
    const { space, parts } = isList ? { space: 'delta' as const, parts: mixture } : mixture;
    const list = isList ? 'mixture' : 'mixture.parts';
    const versions = await Promise.all(parts.map(({ adapter }, i) => this.resolvePart(adapter, `${list}[${i}].adapter`, baseModel)));
    const mismatch = space === 'factor' ? findFactorMismatch(versions) : undefined;
    if (mismatch !== undefined) throw failRuntime('FACTORS_DIFFER', { ...mismatch });
    return {
      baseModel,
      mixture: createMixture({ space, parts: versions.map(({ digest }, i) => ({ digest, weight: parts[i]?.weight ?? 0 })) }),
      prompt: null,
    };
  }

  /** Every name that can be served: base models first, then adapters and compositions, each under its bare name. */
  async list(): Promise<ModelList> {
    const data = (await this.registry.listBaseModels()).map(baseModelCard);
    let after: string | undefined;
    for (;;) {
      const page = await this.registry.listLatestVersions({ limit: PAGE, after });
      data.push(...page.map(repositoryCard));
      if (page.length < PAGE) return { object: 'list', data };
      after = page.at(-1)?.repository.fullName;
    }
  }

  /** One name's card. @throws BraidError MODEL_NOT_FOUND */
  async get(id: string): Promise<ModelCard> {
    return resolvedCard(id, await this.find(id, 'model'));
  }

  private async resolvePart(adapter: string, field: string, baseModel: BaseModel): Promise<AdapterVersion> {
    const resolved = await this.find(adapter, field);
    if (resolved.kind !== 'adapter') throw failServe('MIXTURE_NOT_ADAPTER', { field, name: adapter, kind: KIND_NAMES[resolved.kind] });
    if (resolved.baseModel.id !== baseModel.id) {
      throw failServe('MIXTURE_WRONG_BASE', { field, name: adapter, found: resolved.baseModel.name, expected: baseModel.name });
    }
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

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}
