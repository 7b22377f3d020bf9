// The registry for every other room.
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AdapterSignature } from './adapter-signature.entity.js';
import { AdapterVersion } from './adapter-version.entity.js';
import { BaseModel } from './base-model.entity.js';
import { CompositionVersion } from './composition-version.entity.js';
import { RegistryService } from './registry.service.js';
import { Repository } from './repository.entity.js';
import { SignatureStore } from './signature-store.js';

@Module({
  imports: [TypeOrmModule.forFeature([BaseModel, Repository, AdapterVersion, AdapterSignature, CompositionVersion])],
  providers: [RegistryService, SignatureStore],
  exports: [RegistryService, SignatureStore],
})
export class RegistryModule {}
