// Opens the configured database, PostgreSQL or embedded, and brings its schema up to date.
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { type Configuration } from '../config/configuration.js';
import { createEmbeddedDriver } from './embedded-driver.js';
import { loadMigrations } from './load-migrations.js';

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;
export type Entities = NonNullable<DataSourceOptions['entities']>;

// Session-level advisory lock under which one hub at a time migrates: "braid" in ASCII.
const MIGRATION_LOCK = 0x627261_6964;

const logger = new Logger('database');

type DatabaseConfiguration = Pick<Configuration, 'dataDir' | 'databaseUrl'>;

async function migrate(dataSource: DataSource, isShared: boolean): Promise<void> {
  if (!isShared) {
    // The embedded database has one client and one process: a lock would wait for itself.
    await dataSource.runMigrations({ transaction: 'all' });
    return;
  }
  const lockHolder = dataSource.createQueryRunner();
  try {
    await lockHolder.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      await dataSource.runMigrations({ transaction: 'all' });
    } finally {
      await lockHolder.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    }
  } finally {
    await lockHolder.release();
  }
}

/**
 * A connected, migrated data source; `destroy()` closes the embedded database too.
 * @throws BraidError DATA_DIRECTORY_IN_USE
 */
export async function openDataSource(configuration: DatabaseConfiguration, entities: Entities): Promise<DataSource> {
  const common = {
    type: 'postgres',
    entities,
    migrations: await loadMigrations(),
    migrationsTableName: 'migrations',
    synchronize: false,
    installExtensions: false,
    logging: false,
    // The pool replaces a client that the server has dropped; that it happened is worth a line (not the error: the client hangs on it).
    poolErrorHandler: (error: Error) => logger.warn(`an idle connection ended: ${error.message}`),
  } as const satisfies PostgresOptions;
  if (configuration.databaseUrl !== undefined) {
    return open({ ...common, url: configuration.databaseUrl, applicationName: 'braid', connectTimeoutMS: 10_000 }, true);
  }
  const driver = await createEmbeddedDriver(join(configuration.dataDir, 'database'));
  try {
    return await open({ ...common, driver }, false);
  } catch (error) {
    await driver.close();
    throw error;
  }
}

async function open(options: PostgresOptions, isShared: boolean): Promise<DataSource> {
  const dataSource = new DataSource(options);
  await dataSource.initialize();
  try {
    await migrate(dataSource, isShared);
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
  return dataSource;
}
