// A worker: the hub without HTTP. It runs jobs and evaluates for those of other processes on the same database and object store.
import 'reflect-metadata';
import { type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { type Configuration } from './config/configuration.js';
import { createRootLogger, PinoLogger } from './logging/pino-logger.js';

/**
 * Starts a worker; `await app.close()` stops it and gives its work back. The configuration must name a PostgreSQL, which others use too.
 * @throws what the database or the object store answer
 */
export async function createWorker(configuration: Configuration): Promise<INestApplicationContext> {
  if (configuration.databaseUrl === undefined) throw new Error('a worker needs a database that it shares');
  const logger = createRootLogger(configuration.logLevel);
  const app = await NestFactory.createApplicationContext(AppModule.with(configuration), {
    logger: new PinoLogger(logger),
    abortOnError: false,
  });
  logger.info({ room: 'hub' }, 'working');
  return app;
}
