// Looks into what adapters and compositions change: loads the factors, has each module decomposed in a thread, and puts the figures together.
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { LinearModule } from '#kernels/lora/modules.js';
import { listLinearModules } from '#kernels/models/models.js';
import { parseVersionedName } from '#src/ids/ids.js';
import { deltaNormInTurns } from '#src/peft/delta-norm.js';
import { AdapterStore } from '#src/publish/adapter-store.js';
import { mixtureOfModel } from '#src/registry/mixture-of-model.js';
import { RegistryService, type ResolvedModel } from '#src/registry/registry.service.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { BASE_MODEL_SOURCE, type BaseModelSource } from '#src/runtime/sources.js';
import { BaseNorms } from './base-norms.js';
import { ModelDelta } from './model-delta.js';
import { cosineOf } from './module-overlap.js';
import type { CompareQuery, InspectQuery } from './spectra.dto.js';
import { fail } from './spectra.errors.js';
import type { ModuleOverlapView, ModuleSpectrumView, OverlapView, SpectraView } from './spectra.views.js';
import { type SpectraThread, withSpectraThread } from './with-spectra-thread.js';

/** Clients of the usual kind give up after five minutes. */
const MAX_MS = 240_000;
/** Each has a thread and factors in memory. */
const MOST_AT_ONCE = 2;

type Adapting = Exclude<ResolvedModel, { readonly kind: 'base' }>;

@Injectable()
export class SpectraService implements OnModuleDestroy {
  private readonly closing = new AbortController();
  private running = 0;

  constructor(
    private readonly registry: RegistryService,
    private readonly adapters: AdapterStore,
    private readonly baseNorms: BaseNorms,
    @Inject(BASE_MODEL_SOURCE) private readonly baseModels: BaseModelSource,
  ) {}

  onModuleDestroy(): void {
    this.closing.abort();
  }

  /** @throws BraidError of spectra.errors.ts; UNKNOWN_MODEL, UNKNOWN_VERSION; what loading adapters and bases throws */
  async inspect({ model: text, target }: InspectQuery): Promise<SpectraView> {
    const model = await this.resolve(text);
    const { digest, name: base } = model.baseModel;
    return this.compute(nameOf(model), async (thread, signal) => {
      const files = await this.baseModels.load(digest);
      const delta = await this.loadDelta(model);
      const modules: ModuleSpectrumView[] = [];
      for (const module of chosen(listLinearModules(files.config), target)) {
        const own = delta.moduleOf(module);
        if (own === undefined) continue;
        const baseNorm = await this.baseNorms.get(digest, files, module, signal);
        const spectrum = await thread.describeSpectrum(own);
        const relativeNorm = baseNorm === 0 ? 0 : spectrum.norm / baseNorm;
        modules.push({ ...placeOf(module), rank: own.rank, ...spectrum, baseNorm, relativeNorm, note: delta.noteOn(module) });
      }
      if (modules.length === 0) throw noModules(nameOf(model), target);
      const norm = Math.hypot(...modules.map((module) => module.norm));
      const baseNorm = Math.hypot(...modules.map((module) => module.baseNorm));
      return { model: nameOf(model), kind: model.kind, base, norm, relativeNorm: baseNorm === 0 ? 0 : norm / baseNorm, modules };
    });
  }

  /** @throws BraidError as {@link inspect}, SPECTRA_BASES_DIFFER */
  async compare({ first: firstText, second: secondText, target }: CompareQuery): Promise<OverlapView> {
    const [first, second] = [await this.resolve(firstText), await this.resolve(secondText)];
    const names = { first: nameOf(first), second: nameOf(second) };
    if (first.baseModel.digest !== second.baseModel.digest) {
      throw fail('SPECTRA_BASES_DIFFER', { ...names, firstBase: first.baseModel.name, secondBase: second.baseModel.name });
    }
    return this.compute(`${names.first} beside ${names.second}`, async (thread, signal) => {
      const { config } = await this.baseModels.load(first.baseModel.digest);
      const deltas = [await this.loadDelta(first), await this.loadDelta(second)] as const;
      const modules: ModuleOverlapView[] = [];
      const overlaps: Parameters<typeof cosineOf>[0][number][] = [];
      const only: [first: string[], second: string[]] = [[], []];
      for (const module of chosen(listLinearModules(config), target)) {
        signal.throwIfAborted();
        const [a, b] = [deltas[0].moduleOf(module), deltas[1].moduleOf(module)];
        if (a !== undefined && b !== undefined) {
          const { product, norms, ...overlap } = await thread.compareModules(a, b);
          overlaps.push({ product, norms });
          const widest = Math.max(...overlap.directions);
          const chance = { leftByChance: Math.min(1, widest / module.dOut), rightByChance: Math.min(1, widest / module.dIn) };
          const note = deltas[0].noteOn(module) ?? deltas[1].noteOn(module);
          modules.push({ ...placeOf(module), ...overlap, ...chance, cosine: cosineOf([{ product, norms }]), note });
        } else {
          if (a !== undefined) only[0].push(module.path);
          if (b !== undefined) only[1].push(module.path);
          const normOf = (own: typeof a): Promise<number> => (own === undefined ? Promise.resolve(0) : deltaNormInTurns(own));
          overlaps.push({ product: 0, norms: [await normOf(a), await normOf(b)] });
        }
      }
      if (modules.length + only[0].length + only[1].length === 0) throw noModules(`${names.first} beside ${names.second}`, target);
      const whole = { ...names, base: first.baseModel.name, cosine: cosineOf(overlaps) };
      return { ...whole, modules, onlyFirst: only[0], onlySecond: only[1] };
    });
  }

  private async resolve(text: string): Promise<Adapting> {
    const model = await this.registry.resolve(parseVersionedName(text));
    if (model.kind === 'base') throw fail('SPECTRA_OF_BASE', { name: model.baseModel.name });
    return model;
  }

  private loadDelta(model: Adapting): Promise<ModelDelta> {
    return ModelDelta.load(nameOf(model), createMixture(mixtureOfModel(model)), (digest) => this.adapters.load(digest));
  }

  /** In a thread, within bounds of time and number. */
  private async compute<Result>(name: string, use: (thread: SpectraThread, signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.running >= MOST_AT_ONCE) throw fail('SPECTRA_BUSY', { allowed: MOST_AT_ONCE });
    const timeout = AbortSignal.timeout(MAX_MS);
    const signal = AbortSignal.any([timeout, this.closing.signal]);
    this.running++;
    try {
      return await withSpectraThread(signal, (thread) => use(thread, signal));
    } catch (error) {
      if (this.closing.signal.aborted) throw fail('SPECTRA_CLOSED', {}, error);
      if (timeout.aborted) throw fail('SPECTRA_TOO_LARGE', { name, reason: `it takes longer than ${MAX_MS / 1000} seconds` }, error);
      throw error;
    } finally {
      this.running--;
    }
  }
}

function chosen(modules: readonly LinearModule[], target: InspectQuery['target']): readonly LinearModule[] {
  return target === undefined ? modules : modules.filter((module) => target.includes(module.class));
}

function placeOf({ path, layer, class: linearClass }: LinearModule): Pick<LinearModule, 'path' | 'layer' | 'class'> {
  return { path, layer, class: linearClass };
}

function noModules(name: string, target: InspectQuery['target']): Error {
  return fail('SPECTRA_NO_MODULES', { name, allowed: target ?? ['the base'] });
}

function nameOf({ version }: Adapting): string {
  return `${version.repository.fullName}@${version.version}`;
}
