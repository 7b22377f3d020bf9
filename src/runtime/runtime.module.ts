// Gives every room the engines. Where adapters and base models come from is said by whoever assembles the hub, so nothing here imports them.
import { type DynamicModule, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { ENGINES } from './engine.js';
import { EnginesService } from './runtime.service.js';
import { ADAPTER_SOURCE, BASE_MODEL_SOURCE, type AdapterSource, type BaseModelSource } from './sources.js';

export interface RuntimeSources {
  /** The modules that export the two providers below. */
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  readonly adapters: Type<AdapterSource>;
  readonly baseModels: Type<BaseModelSource>;
}

@Module({})
export class RuntimeModule {
  static with({ imports, adapters, baseModels }: RuntimeSources): DynamicModule {
    return {
      module: RuntimeModule,
      global: true,
      imports,
      providers: [
        EnginesService,
        { provide: ENGINES, useExisting: EnginesService },
        { provide: ADAPTER_SOURCE, useExisting: adapters },
        { provide: BASE_MODEL_SOURCE, useExisting: baseModels },
      ],
      exports: [EnginesService, ENGINES, BASE_MODEL_SOURCE],
    };
  }
}
