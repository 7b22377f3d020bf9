// Traces by configuration: without an endpoint nothing of OpenTelemetry is loaded.
import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { readPackageVersion } from '#src/config/package-version.js';
import { GenerationWatcher } from '#src/metrics/generation-watcher.js';
import { MetricsModule } from '#src/metrics/metrics.module.js';
import { REQUEST_TRACER, type RequestTracer } from './tracer.js';

async function createTracer(watcher: GenerationWatcher, { otlpEndpoint }: Configuration): Promise<RequestTracer | undefined> {
  if (otlpEndpoint === undefined) return undefined;
  const { OtlpTracer } = await import('./otlp-tracer.js');
  return new OtlpTracer(watcher, { endpoint: otlpEndpoint, serviceVersion: await readPackageVersion() });
}

@Module({
  imports: [MetricsModule],
  providers: [{ provide: REQUEST_TRACER, useFactory: createTracer, inject: [GenerationWatcher, CONFIGURATION] }],
  exports: [REQUEST_TRACER],
})
export class TracingModule implements OnApplicationShutdown {
  constructor(@Inject(REQUEST_TRACER) private readonly tracer: RequestTracer | undefined) {}

  /** The last requests have ended: their connections are closed. */
  async onApplicationShutdown(): Promise<void> {
    await this.tracer?.close();
  }
}
