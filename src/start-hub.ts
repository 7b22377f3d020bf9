// Builds the hub from a configuration and lets it listen; closing the application stops requests, then database and workers.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { AppModule } from './app.module.js';
import { type Configuration } from './config/configuration.js';
import { readPackageVersion } from './config/package-version.js';
import { declareErrors } from './http/declare-errors.js';
import { Drain } from './http/drain.js';
import { verifyUtf8 } from './http/json-body.js';
import { createRequestLog, type RequestObserver } from './http/request-log.js';
import { createRootLogger, PinoLogger } from './logging/pino-logger.js';
import { GenerationLog } from './metrics/generation-log.js';
import { RequestMetrics } from './metrics/request-metrics.js';
import { REQUEST_TRACER } from './tracing/tracer.js';

/** A hub that listens; `await app.close()` stops it. */
export interface Hub {
  readonly app: NestExpressApplication;
  /** Where it listens, e.g. `http://127.0.0.1:8400`; without a slash at the end. */
  readonly url: string;
}

// Examples of a composition job and long prompts come as JSON; adapters come as their own kind of body with their own limit.
// Apart from the call, because Nest's type leaves out `verify`, which it hands on.
const JSON_BODY = { limit: '32mb', verify: verifyUtf8 };

// Longer than clients and proxies keep an idle connection (Node closes after five seconds): otherwise a request may meet a closing one.
const KEEP_ALIVE_MS = 75_000;

/**
 * Starts a hub.
 * @throws BraidError DATA_DIRECTORY_IN_USE; what the port, the database or the object store answer
 */
export async function createHub(configuration: Configuration): Promise<Hub> {
  const logger = createRootLogger(configuration.logLevel);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(configuration), {
    logger: new PinoLogger(logger),
    // Errors of the start belong to the caller, who knows whether to exit.
    abortOnError: false,
  });
  try {
    app.use(createRequestLog(logger, listObservers(app, configuration)));
    app.use(app.get(Drain).createGate());
    app.useBodyParser('json', JSON_BODY);
    app.set('query parser', 'simple');
    app.disable('x-powered-by');
    app.enableShutdownHooks();
    const document = new DocumentBuilder()
      .setTitle('Braid')
      .setDescription('A self-hosted hub and composition server for LoRA adapters.')
      .setVersion(await readPackageVersion())
      .build();
    SwaggerModule.setup('api/docs', app, () => declareErrors(SwaggerModule.createDocument(app, document)));
    await app.listen(configuration.port, configuration.host);
    app.getHttpServer().keepAliveTimeout = KEEP_ALIVE_MS;
    const url = await app.getUrl();
    logger.info({ room: 'hub', url }, 'listening');
    return { app, url };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** Who looks on as requests end. */
function listObservers(app: NestExpressApplication, { metrics }: Configuration): RequestObserver[] {
  const tracer = app.get<RequestObserver | undefined>(REQUEST_TRACER, { strict: false });
  const log = app.get(GenerationLog, { strict: false });
  return [log, ...(metrics ? [app.get(RequestMetrics, { strict: false })] : []), ...(tracer === undefined ? [] : [tracer])];
}
