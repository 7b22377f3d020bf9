// Requests by route and status, whatever they ask for.
import { Injectable } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import type { EndedRequest, RequestObserver } from '#src/http/request-log.js';
import { MetricsRegistry } from './metrics-registry.js';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Of paths that no route answers: what strangers try is no label. */
const NO_ROUTE = 'none';

@Injectable()
export class RequestMetrics implements RequestObserver {
  private readonly requests;
  private readonly seconds;

  constructor(registry: MetricsRegistry) {
    const registers = [registry];
    this.requests = new Counter({
      name: 'braid_http_requests_total',
      help: 'Requests that were answered or broken off.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'braid_http_request_duration_seconds',
      help: 'From the arrival of a request to the end of its answer.',
      labelNames: ['route'],
      buckets: SECONDS,
      registers,
    });
  }

  ended({ method, route = NO_ROUTE, status, durationMs }: EndedRequest): void {
    this.requests.inc({ method: route === NO_ROUTE ? NO_ROUTE : method, route, status });
    this.seconds.observe({ route }, durationMs / 1000);
  }
}
