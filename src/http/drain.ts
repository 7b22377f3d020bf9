// Shutdown in bounded time: from the first moment new requests are refused, those under way may finish, and a stream that never ends keeps nothing up.
import { type Server } from 'node:http';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type NextFunction, type Request, type Response } from 'express';
import { CONFIGURATION, type Configuration } from '../config/configuration.js';
import { errorsOf } from './braid-error.js';
import { httpErrors } from './http.errors.js';

const fail = errorsOf(httpErrors);

// For what the engines have answered at their own deadline and what is still on its way to a client.
const MIN_CONNECTION_MS = 1_000;
/** A process that ends is alive until it has ended: nobody should kill it for draining. */
const LIVENESS = '/healthz';

/** Provided by the hub's own module, which Nest destroys before all others. */
@Injectable()
export class Drain implements OnModuleDestroy, BeforeApplicationShutdown {
  private startedAt: number | undefined;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  onModuleDestroy(): void {
    this.startedAt = performance.now();
  }

  /** Right after this, Nest closes the server and waits for its connections. */
  beforeApplicationShutdown(): void {
    // A worker has no server.
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    if (adapter === undefined) return;
    const server = adapter.getHttpServer() as Server;
    const tookMs = performance.now() - (this.startedAt ?? performance.now());
    const timer = setTimeout(() => server.closeAllConnections(), Math.max(MIN_CONNECTION_MS, this.configuration.drainMs - tookMs));
    server.once('close', () => clearTimeout(timer));
    timer.unref();
  }

  /** Express middleware that answers HUB_STOPPING while the hub drains; what came before goes on. */
  createGate(): (request: Request, response: Response, next: NextFunction) => void {
    return (request, response, next) => {
      if (this.startedAt === undefined || request.path === LIVENESS) {
        next();
        return;
      }
      response.setHeader('Connection', 'close');
      next(fail('HUB_STOPPING'));
    };
  }
}
