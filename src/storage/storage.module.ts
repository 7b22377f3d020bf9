// Gives the configured object store to every module under the token OBJECT_STORE.
import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '../config/configuration.js';
import { FileObjectStore } from './file-object-store.js';
import { OBJECT_STORE, type ObjectStore } from './object-store.js';
import { S3ObjectStore } from './s3-object-store.js';

/** Opens the store that the configuration names: S3, or the folder `<dataDir>/objects`. */
export async function openObjectStore(configuration: Pick<Configuration, 'dataDir' | 's3'>): Promise<ObjectStore> {
  const store =
    configuration.s3 === undefined ? new FileObjectStore(join(configuration.dataDir, 'objects')) : new S3ObjectStore(configuration.s3);
  await store.open();
  return store;
}

@Global()
@Module({
  providers: [
    { provide: OBJECT_STORE, inject: [CONFIGURATION], useFactory: (configuration: Configuration) => openObjectStore(configuration) },
  ],
  exports: [OBJECT_STORE],
})
export class StorageModule {}
