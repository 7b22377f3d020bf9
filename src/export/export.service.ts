// Exports: a version and a format become files, each known by name and size before its bytes are made.
import { Inject, Injectable } from '@nestjs/common';
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { concatenateFactors } from '#kernels/lora/concatenate-factors.js';
import { type WeightedFactors } from '#kernels/lora/combine-factors.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { isSeq2Seq, listLinearModules } from '#kernels/models/models.js';
import { type VersionedName } from '#src/ids/ids.js';
import { AdapterStore } from '#src/publish/adapter-store.js';
import { type AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { type CompositionPrompt } from '#src/registry/composition-version.entity.js';
import { mixtureOfModel } from '#src/registry/mixture-of-model.js';
import { promptOfModel } from '#src/registry/prompt-of-model.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { FactorSource } from '#src/runtime/factor-source.js';
import { type Mixture } from '#src/runtime/engine.js';
import { BASE_MODEL_SOURCE, type BaseModelSource } from '#src/runtime/sources.js';
import { type CutAdapter, type RankCut } from './cut-adapter.js';
import { cutInThread } from './cut-thread.js';
import { type ExportFile } from './export-file.js';
import { fail } from './export.errors.js';
import { type ExportedModel, type ExportFormat, failOnEncoder, FORMATS } from './formats.js';
import { assertNoGain, hasGain } from './gains.js';

export interface ExportRequest {
  readonly model: VersionedName;
  readonly format: ExportFormat;
  /** Cut to it. */
  readonly rank: number | undefined;
}

export interface PreparedExport {
  readonly model: ExportedModel;
  readonly format: ExportFormat;
  readonly files: readonly ExportFile[];
  readonly cut: RankCut | undefined;
  readonly prompt: CompositionPrompt | null;
}

@Injectable()
export class ExportService {
  /** Cutting takes seconds, and a client asks for the list of files, then for each of them. */
  private lastCut: { readonly key: string; readonly result: Promise<CutAdapter> } | undefined;

  constructor(
    private readonly registry: RegistryService,
    private readonly adapters: AdapterStore,
    @Inject(BASE_MODEL_SOURCE) private readonly baseModels: BaseModelSource,
  ) {}

  /**
   * What the export will hold.
   * @throws BraidError UNKNOWN_MODEL, UNKNOWN_VERSION, FACTORS_DIFFER, GGUF_UNSUPPORTED, or of export.errors.ts and base-models.errors.ts
   */
  async prepare({ model: wanted, format, rank }: ExportRequest): Promise<PreparedExport> {
    const model = await this.registry.resolve(wanted);
    if (model.kind === 'base') throw fail('EXPORT_OF_BASE', { name: wanted.name });
    const { hasFactors, isOfDecoders } = FORMATS[format];
    if (rank !== undefined && !hasFactors) {
      throw fail('EXPORT_RANK_UNUSED', {
        format,
        allowed: Object.entries(FORMATS).flatMap(([name, one]) => (one.hasFactors ? [name] : [])),
      });
    }
    const base = await this.baseModels.load(model.baseModel.digest);
    const { config } = base;
    const name = model.version.repository.fullName;
    if (isOfDecoders && isSeq2Seq(config)) throw failOnEncoder(model, config, format);
    const modules = listLinearModules(config);
    const mixture = createMixture(mixtureOfModel(model));
    const parts = await this.loadParts(mixture);
    const whole = concatenateFactors(parts, modules);
    // A gain is in no factors, but PEFT's own files say it: they are what was published.
    if (format === 'peft' && rank === undefined && model.kind === 'adapter' && hasGain(whole)) {
      return { model, format, cut: undefined, prompt: null, files: this.listPublished(model.version) };
    }
    if (hasFactors) assertNoGain(whole, modules, format);
    if (whole.modules.length === 0) throw fail('EXPORT_EMPTY', { name });
    const { adapter, cut } = rank === undefined ? { adapter: whole, cut: undefined } : await this.cut(mixture, whole, modules, rank);
    const prompt = promptOfModel(model);
    return { model, format, cut, prompt, files: await FORMATS[format].write({ model, config, modules, adapter, cut, prompt }) };
  }

  /** One of its files. @throws BraidError EXPORT_FILE_UNKNOWN, and as {@link prepare} */
  async getFile(request: ExportRequest, name: string): Promise<ExportFile> {
    const { files } = await this.prepare(request);
    const file = files.find((one) => one.name === name);
    if (file === undefined)
      throw fail('EXPORT_FILE_UNKNOWN', { file: JSON.stringify(name.slice(0, 120)), existing: files.map((one) => one.name) });
    return file;
  }

  private listPublished({ files }: AdapterVersion): readonly ExportFile[] {
    return files
      .filter(({ path }) => path !== 'examples.jsonl')
      .map(({ path, sizeBytes, digest }) => ({ name: path, sizeBytes, read: () => this.adapters.readFile(digest) }));
  }

  private async loadParts(mixture: Mixture): Promise<readonly WeightedFactors[]> {
    const factors = new FactorSource((digest) => this.adapters.load(digest));
    const parts: WeightedFactors[] = [];
    for (const { digest, weight, factors: factorParts } of mixture) {
      const adapter = factorParts === undefined ? await this.adapters.load(digest) : await factors.combine(factorParts);
      parts.push({ adapter, weight });
    }
    return parts;
  }

  private async cut(mixture: Mixture, whole: CanonicalAdapter, modules: readonly LinearModule[], rank: number): Promise<CutAdapter> {
    const key = JSON.stringify([mixture, rank]);
    if (this.lastCut?.key !== key) {
      const before = this.lastCut?.result;
      // One after another: each takes a whole processor.
      const result = Promise.resolve(before?.catch(() => undefined)).then(() => cutInThread(whole, modules, rank));
      const cut = { key, result };
      this.lastCut = cut;
      // What failed is tried anew.
      result.catch(() => {
        if (this.lastCut === cut) this.lastCut = undefined;
      });
    }
    return this.lastCut.result;
  }
}
