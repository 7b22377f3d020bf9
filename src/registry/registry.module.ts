// The registry for every other room.
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AdapterVersion } from './adapter-version.entity.js';
import { BaseModel } from './base-model.entity.js';
import { CompositionVersion } from './composition-version.entity.js';
import { RegistryService } from './registry.service.js';
import { Repository } from './repository.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([BaseModel, Repository, AdapterVersion, CompositionVersion])],
  providers: [RegistryService],
  exports: [RegistryService],
})
export class RegistryModule {}
