// What adapters and compositions change, looked into. The way to base models' files comes from the runtime, which is global.
import { Module } from '@nestjs/common';
import { AdapterStoreModule } from '#src/publish/adapter-store.module.js';
import { RegistryModule } from '#src/registry/registry.module.js';
import { BaseNorms } from './base-norms.js';
import { SpectraController } from './spectra.controller.js';
import { SpectraService } from './spectra.service.js';

@Module({ imports: [RegistryModule, AdapterStoreModule], controllers: [SpectraController], providers: [BaseNorms, SpectraService] })
export class SpectraModule {}
