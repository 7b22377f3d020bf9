// Publishing and what was published. The engines come from the runtime, which is global.
import { Module } from '@nestjs/common';
import { MulterModule } from '@nestjs/platform-express';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { RegistryModule } from '#src/registry/registry.module.js';
import { SignaturesModule } from '#src/signatures/signatures.module.js';
import { TokenizerModule } from '#src/tokenizer/tokenizer.module.js';
import { AdapterStoreModule } from './adapter-store.module.js';
import { AdaptersController } from './adapters.controller.js';
import { PublishService } from './publish.service.js';
import { RepositoriesController } from './repositories.controller.js';
import { acceptUpload, UPLOAD_LIMITS, UploadStorage } from './upload-storage.js';

@Module({
  imports: [
    RegistryModule,
    SignaturesModule,
    TokenizerModule,
    AdapterStoreModule,
    MulterModule.registerAsync({
      inject: [CONFIGURATION],
      useFactory: ({ maxUploadBytes }: Configuration) => ({
        storage: new UploadStorage(maxUploadBytes),
        fileFilter: acceptUpload,
        // Sizes are the storage's matter: each file has its own limit.
        limits: UPLOAD_LIMITS,
      }),
    }),
  ],
  controllers: [AdaptersController, RepositoriesController],
  providers: [PublishService],
})
export class PublishModule {}
