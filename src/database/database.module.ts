// One data source for all rooms; each room registers its entities with TypeOrmModule.forFeature.
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CONFIGURATION, type Configuration } from '../config/configuration.js';
import { OBJECT_STORE, type ObjectStore } from '../storage/object-store.js';
import { openDataSource } from './open-data-source.js';

interface ModuleOptions {
  readonly type: 'postgres';
  readonly configuration: Configuration;
}

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      // The object store only for the order: it comes first because nothing needs closing when it cannot be reached.
      inject: [CONFIGURATION, OBJECT_STORE],
      useFactory: (configuration: Configuration, _objectStore: ObjectStore) =>
        // The factory below reads the configuration from here; autoLoadEntities collects the rooms' entities. Nothing is tried again, and
        // toRetry keeps Nest from saying that it is: the one who starts the hub is told.
        ({ type: 'postgres', autoLoadEntities: true, retryAttempts: 0, toRetry: () => false, configuration }) as ModuleOptions & {
          autoLoadEntities: true;
        },
      dataSourceFactory: (options) => {
        if (options === undefined || !('configuration' in options)) throw new Error('the configuration did not reach the data source');
        return openDataSource(options.configuration as Configuration, options.entities ?? []);
      },
    }),
  ],
})
export class DatabaseModule {}
