// Exports: adapters and compositions in the formats of others.
import { Module } from '@nestjs/common';
import { AdapterStoreModule } from '#src/publish/adapter-store.module.js';
import { RegistryModule } from '#src/registry/registry.module.js';
import { ExportController } from './export.controller.js';
import { ExportService } from './export.service.js';

// Where base models lie comes from RuntimeModule, which is global.
@Module({ imports: [RegistryModule, AdapterStoreModule], controllers: [ExportController], providers: [ExportService] })
export class ExportModule {}
