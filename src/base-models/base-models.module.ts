// Base models: their routes, and the way to their files for whoever runs them.
import { Module } from '@nestjs/common';
import { RegistryModule } from '#src/registry/registry.module.js';
import { BaseModelsController } from './base-models.controller.js';
import { BaseModelsService } from './base-models.service.js';
import { PinnedAdaptersService } from './pinned-adapters.service.js';

@Module({
  imports: [RegistryModule],
  controllers: [BaseModelsController],
  providers: [BaseModelsService, PinnedAdaptersService],
  exports: [BaseModelsService, PinnedAdaptersService],
})
export class BaseModelsModule {}
