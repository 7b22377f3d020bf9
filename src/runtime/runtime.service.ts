// Opens engines: one per base model, on first use, kept until the hub stops.
import { Inject, Injectable, Logger, Optional, type OnModuleDestroy } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { BraidError } from '#src/http/braid-error.js';
import type { Digest } from '#src/ids/ids.js';
import type { Engine, Engines } from './engine.js';
import type { EngineStats } from './engine-stats.js';
import { openEngine, type ModelEngine } from './model-engine.js';
import { fail } from './runtime.errors.js';
import {
  ADAPTER_SOURCE,
  BASE_MODEL_SOURCE,
  PINNED_ADAPTER_SOURCE,
  type AdapterSource,
  type BaseModelSource,
  type PinnedAdapterSource,
} from './sources.js';

@Injectable()
export class EnginesService implements Engines, OnModuleDestroy {
  private readonly logger = new Logger('runtime');
  private readonly engines = new Map<Digest, Promise<ModelEngine>>();
  private readonly opened = new Map<Digest, ModelEngine>();
  private isClosed = false;
  private hasWarned = false;

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    @Inject(ADAPTER_SOURCE) private readonly adapters: AdapterSource,
    @Inject(BASE_MODEL_SOURCE) private readonly baseModels: BaseModelSource,
    @Optional() @Inject(PINNED_ADAPTER_SOURCE) private readonly pins?: PinnedAdapterSource,
  ) {}

  /** @throws BraidError ENGINE_CLOSED, MODEL_UNLOADABLE, PINNED_ADAPTERS_TOO_LARGE, PRECISION_UNSUPPORTED, PROVIDER_UNAVAILABLE, or the base-model source's own */
  get(baseModelDigest: Digest): Promise<Engine> {
    if (this.isClosed) return Promise.reject(fail('ENGINE_CLOSED'));
    const known = this.engines.get(baseModelDigest);
    if (known !== undefined) return known;
    // A model that cannot be opened is tried again at the next request: its directory may be back.
    const opening = this.open(baseModelDigest).catch((error: unknown) => {
      this.engines.delete(baseModelDigest);
      throw error;
    });
    this.engines.set(baseModelDigest, opening);
    return opening;
  }

  /** Of all engines: requests that were taken in and not answered yet, and those of them that have not run yet. */
  countRequests(): { readonly open: number; readonly waiting: number } {
    const sum = (count: (engine: ModelEngine) => number): number =>
      [...this.opened.values()].reduce((total, engine) => total + count(engine), 0);
    return { open: sum(({ openCount }) => openCount), waiting: sum(({ waitingCount }) => waitingCount) };
  }

  /** Of every engine that is open, by its base model's digest. */
  get stats(): ReadonlyMap<Digest, EngineStats> {
    return new Map([...this.opened].map(([digest, { stats }]) => [digest, stats]));
  }

  /** What is being generated may finish in the time for that; then it is answered with ENGINE_CLOSED. */
  async onModuleDestroy(): Promise<void> {
    this.isClosed = true;
    const { drainMs } = this.configuration;
    const opened = await Promise.allSettled(this.engines.values());
    await Promise.all(opened.flatMap((engine) => (engine.status === 'fulfilled' ? [engine.value.close({ drainMs })] : [])));
  }

  private async open(digest: Digest): Promise<ModelEngine> {
    const { provider, precision, threads, maxBatchRows, maxQueue, maxQueueTokens, adapterMemoryBytes } = this.configuration;
    this.warnOfSlowHalves();
    try {
      const files = await this.baseModels.load(digest);
      const options = { provider, precision, threads, maxBatchRows, maxQueue, maxQueueTokens, adapterMemoryBytes };
      const pinned = {
        digests: (await this.pins?.list(digest)) ?? [],
        warn: (adapter: Digest, error: unknown) =>
          this.logger.warn(`The pinned adapter ${adapter} is not kept in memory: ${messageOf(error)}`),
      };
      const engine = await openEngine({ ...files, adapters: this.adapters, pinned, ...options });
      this.opened.set(digest, engine);
      return engine;
    } catch (error) {
      if (error instanceof BraidError) throw error;
      throw fail('MODEL_UNLOADABLE', { found: messageOf(error) }, error);
    }
  }

  /** Once: every base model is opened for the same provider. */
  private warnOfSlowHalves(): void {
    const { provider, precision } = this.configuration;
    if (this.hasWarned || provider !== 'cpu' || precision !== 'float16') return;
    this.hasWarned = true;
    this.logger.warn('BRAID_PRECISION=float16 is slower than float32 on the CPU, which has no halves: it is for GPUs, and for tests here.');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
