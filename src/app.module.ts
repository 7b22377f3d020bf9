// The hub, read from top to bottom: the way of the data.
import { type DynamicModule, Module } from '@nestjs/common';
import { BaseModelsModule } from './base-models/base-models.module.js';
import { BaseModelsService } from './base-models/base-models.service.js';
import { PinnedAdaptersService } from './base-models/pinned-adapters.service.js';
import { ComposeModule } from './compose/compose.module.js';
import { type Configuration } from './config/configuration.js';
import { ConfigurationModule } from './config/configuration.module.js';
import { DatabaseModule } from './database/database.module.js';
import { EvaluateModule } from './evaluate/evaluate.module.js';
import { ExportModule } from './export/export.module.js';
import { HealthModule } from './health/health.module.js';
import { Drain } from './http/drain.js';
import { HttpModule } from './http/http.module.js';
import { AdapterStore } from './publish/adapter-store.js';
import { AdapterStoreModule } from './publish/adapter-store.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PublishModule } from './publish/publish.module.js';
import { RegistryModule } from './registry/registry.module.js';
import { RuntimeModule } from './runtime/runtime.module.js';
import { SearchModule } from './search/search.module.js';
import { ServeModule } from './serve/serve.module.js';
import { SpectraModule } from './spectra/spectra.module.js';
import { StorageModule } from './storage/storage.module.js';
import { TracingModule } from './tracing/tracing.module.js';

@Module({})
export class AppModule {
  static with(configuration: Configuration): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigurationModule.with(configuration),
        DatabaseModule,
        StorageModule,
        HttpModule,
        HealthModule,
        RegistryModule,
        BaseModelsModule,
        RuntimeModule.with({
          imports: [BaseModelsModule, AdapterStoreModule],
          adapters: AdapterStore,
          baseModels: BaseModelsService,
          pinnedAdapters: PinnedAdaptersService,
        }),
        PublishModule,
        SearchModule,
        SpectraModule,
        ComposeModule,
        EvaluateModule,
        MetricsModule,
        TracingModule,
        ServeModule,
        ExportModule,
      ],
      providers: [Drain],
    };
  }
}
