// Gives every room the engines. Where adapters and base models come from is said by whoever assembles the hub, so nothing here imports them.
import { type DynamicModule, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { ENGINES } from './engine.js';
import { EnginesService } from './runtime.service.js';
import {
  ADAPTER_SOURCE,
  BASE_MODEL_SOURCE,
  PINNED_ADAPTER_SOURCE,
  type AdapterSource,
  type BaseModelSource,
  type PinnedAdapterSource,
} from './sources.js';

export interface RuntimeSources {
  /** The modules that export the providers below. */
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  readonly adapters: Type<AdapterSource>;
  readonly baseModels: Type<BaseModelSource>;
  /** @default nothing is pinned */
  readonly pinnedAdapters?: Type<PinnedAdapterSource>;
}

@Module({})
export class RuntimeModule {
  static with({ imports, adapters, baseModels, pinnedAdapters }: RuntimeSources): DynamicModule {
    return {
      module: RuntimeModule,
      global: true,
      imports,
      providers: [
        EnginesService,
        { provide: ENGINES, useExisting: EnginesService },
        { provide: ADAPTER_SOURCE, useExisting: adapters },
        { provide: BASE_MODEL_SOURCE, useExisting: baseModels },
        ...(pinnedAdapters === undefined ? [] : [{ provide: PINNED_ADAPTER_SOURCE, useExisting: pinnedAdapters }]),
      ],
      exports: [EnginesService, ENGINES, BASE_MODEL_SOURCE],
    };
  }
}
