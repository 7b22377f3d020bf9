// Requests that ask models as OpenTelemetry spans: the request, a span an answer with vLLM's attributes, and its parts. Loaded only where traces are wanted.
// Everything is known when a request has ended, so spans are made then, with the times that they had.
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
  type TextMapGetter,
} from '@opentelemetry/api';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { EndedRequest } from '#src/http/request-log.js';
import type { GenerationWatcher } from '#src/metrics/generation-watcher.js';
import type { ObservedGeneration } from '#src/metrics/observed-generation.js';
import type { ObservedRow } from '#src/metrics/observed-row.js';
import type { RequestTracer } from './tracer.js';

/** A request may have thousands of answers; the first ones show where its time went. */
const MOST_ROWS = 64;
/** A collector that does not answer must not keep the hub up. */
const CLOSE_MS = 5_000;

const logger = new Logger('tracing');

export interface OtlpOptions {
  /** The collector, without the path of a signal, e.g. `http://127.0.0.1:4318`. */
  readonly endpoint: URL;
  readonly serviceVersion: string;
}

type Headers = EndedRequest['headers'];
const HEADERS: TextMapGetter<Headers> = { keys: (headers) => Object.keys(headers), get: (headers, name) => headers[name] };

export class OtlpTracer implements RequestTracer {
  private readonly provider: TracerProvider;
  private readonly tracer: Tracer;
  private readonly propagator = new W3CTraceContextPropagator();

  constructor(
    private readonly watcher: GenerationWatcher,
    { endpoint, serviceVersion }: OtlpOptions,
  ) {
    const exporter = new OTLPTraceExporter({ url: `${endpoint.href.replace(/\/$/, '')}/v1/traces` });
    this.provider = new TracerProvider({
      // What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before ours.
      resource: defaultResource()
        .merge(resourceFromAttributes({ 'service.name': 'braid', 'service.version': serviceVersion }))
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [new BatchSpanProcessor({ exporter })],
    });
    setGlobalErrorHandler((error) => logger.warn('traces cannot be sent', { err: error }));
    this.tracer = this.provider.getTracer('braid', serviceVersion);
  }

  ended(request: EndedRequest): void {
    const generations = this.watcher.generationsOf(request.context);
    if (generations.length === 0) return;
    const { context, method, route, path, headers, status, durationMs } = request;
    const startedAt = epochMs(context.arrivedAtMs);
    const parent = this.propagator.extract(ROOT_CONTEXT, headers, HEADERS);
    const span = this.tracer.startSpan(
      `${method} ${route ?? path}`,
      {
        kind: SpanKind.SERVER,
        startTime: startedAt,
        attributes: {
          'http.request.method': method,
          'http.route': route ?? path,
          'http.response.status_code': status,
          'gen_ai.request.id': context.requestId,
        },
      },
      parent,
    );
    const errorCode = context.errorCode ?? generations.find((generation) => generation.errorCode !== undefined)?.errorCode;
    if (errorCode !== undefined) span.setAttribute('error.type', errorCode);
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    const inside = trace.setSpan(parent, span);
    const answers = generations.flatMap((generation) => generation.rows.map((row) => ({ generation, row })));
    for (const { generation, row } of answers.slice(0, MOST_ROWS)) this.traceRow(generation, row, inside);
    span.end(startedAt + durationMs);
  }

  async close(): Promise<void> {
    const patience = new AbortController();
    const timeout = sleep(CLOSE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.provider.shutdown().catch(() => undefined), timeout]);
    patience.abort();
  }

  private traceRow(generation: ObservedGeneration, row: ObservedRow, parent: Context): void {
    const { openedAtMs, startedAtMs, firstTokenAtMs, lastTokenAtMs, end } = row;
    const endedAtMs = row.endedAtMs ?? performance.now();
    const span = this.tracer.startSpan(
      'llm_request',
      { startTime: epochMs(openedAtMs), attributes: attributesOf(generation, row, endedAtMs) },
      parent,
    );
    if (end === 'error') span.setStatus({ code: SpanStatusCode.ERROR });
    const inside = trace.setSpan(parent, span);
    this.tracePart('queue', openedAtMs, startedAtMs ?? endedAtMs, inside);
    if (startedAtMs !== undefined) this.tracePart('prefill', startedAtMs, firstTokenAtMs ?? endedAtMs, inside);
    if (firstTokenAtMs !== undefined && lastTokenAtMs !== undefined) this.tracePart('decode', firstTokenAtMs, lastTokenAtMs, inside);
    span.end(epochMs(endedAtMs));
  }

  private tracePart(name: string, fromMs: number, toMs: number, parent: Context): void {
    const span: Span = this.tracer.startSpan(name, { startTime: epochMs(fromMs) }, parent);
    span.end(epochMs(toMs));
  }
}

/** As vLLM sets them (vllm/v1/engine/output_processor.py): seconds and tokens, never texts. */
function attributesOf({ start, served, plan }: ObservedGeneration, row: ObservedRow, endedAtMs: number): Attributes {
  const { startedAtMs, firstTokenAtMs, lastTokenAtMs, openedAtMs, tokens, end } = row;
  const seconds = (from: number | undefined, to: number | undefined): number | undefined =>
    from === undefined || to === undefined ? undefined : (to - from) / 1000;
  return {
    'gen_ai.request.id': start.requestId,
    'gen_ai.request.model': start.model,
    'gen_ai.response.model': row.start.names.adapter === '' ? row.start.names.model : row.start.names.adapter,
    'gen_ai.request.max_tokens': row.start.maxTokens,
    'gen_ai.request.temperature': plan?.temperature,
    'gen_ai.request.top_p': plan?.topP,
    'gen_ai.request.n': plan?.answersPerPrompt,
    'gen_ai.usage.prompt_tokens': row.start.promptTokens,
    'gen_ai.usage.completion_tokens': tokens,
    'gen_ai.latency.time_in_queue': seconds(openedAtMs, startedAtMs),
    'gen_ai.latency.time_to_first_token': seconds(start.arrivedAtMs, firstTokenAtMs),
    'gen_ai.latency.time_in_model_prefill': seconds(startedAtMs, firstTokenAtMs),
    'gen_ai.latency.time_in_model_decode': seconds(firstTokenAtMs, lastTokenAtMs),
    'gen_ai.latency.time_in_model_inference': seconds(startedAtMs, lastTokenAtMs),
    'gen_ai.latency.e2e': seconds(start.arrivedAtMs, endedAtMs),
    'gen_ai.response.finish_reasons': [end ?? 'abort'],
    'braid.composition': served?.fingerprint,
  };
}

function epochMs(ms: number): number {
  return performance.timeOrigin + ms;
}
