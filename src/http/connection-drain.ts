// Shutdown in bounded time: requests under way may finish, but a stream that never ends must not keep the hub up.
import { type Server } from 'node:http';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

const DRAIN_MS = 5_000;

@Injectable()
export class ConnectionDrain implements BeforeApplicationShutdown {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** Right after this, Nest closes the server and waits for its connections. */
  beforeApplicationShutdown(): void {
    // A worker has no server.
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    if (adapter === undefined) return;
    const server = adapter.getHttpServer() as Server;
    const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.once('close', () => clearTimeout(timer));
    timer.unref();
  }
}
