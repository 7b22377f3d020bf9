// Answers as metrics, under vLLM's names, in its units and buckets: what reads vLLM's dashboards reads these.
// https://docs.vllm.ai/en/latest/usage/metrics.html; vllm/v1/metrics/loggers.py
import { Injectable } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { MetricsRegistry } from './metrics-registry.js';
import type { ObservedRow, RowEnd, RowSink } from './observed-row.js';

const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const BETWEEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const REQUEST_SECONDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];

const BY_ADAPTER = ['model_name', 'adapter'] as const;
const BY_MODEL = ['model_name'] as const;

@Injectable()
export class RowMetrics implements RowSink {
  private readonly promptTokens;
  private readonly generationTokens;
  private readonly success;
  private readonly firstToken;
  private readonly betweenTokens;
  private readonly endToEnd;
  private readonly queueTime;
  private readonly prefillTime;
  private readonly decodeTime;
  private readonly inferenceTime;
  private readonly requestPromptTokens;
  private readonly requestGenerationTokens;

  constructor(private readonly registry: MetricsRegistry) {
    const registers = [registry];
    const counter = (name: string, help: string) => new Counter({ name: `vllm:${name}`, help, labelNames: BY_ADAPTER, registers });
    this.promptTokens = counter('prompt_tokens_total', 'Prompt tokens computed: those of a prompt for each of its answers.');
    this.generationTokens = counter('generation_tokens_total', 'Tokens of answers.');
    this.success = new Counter({
      name: 'vllm:request_success_total',
      help: 'Answers that ended, by how: stop, length, abort (the client left, or its time was over) or error.',
      labelNames: [...BY_ADAPTER, 'finished_reason'],
      registers,
    });
    const histogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name: `vllm:${name}`, help, buckets, labelNames: BY_ADAPTER, registers });
    this.firstToken = histogram('time_to_first_token_seconds', "From a request's arrival to a first token.", FIRST_TOKEN_SECONDS);
    this.betweenTokens = histogram(
      'inter_token_latency_seconds',
      'Between one token and the next; of tokens that come together their share of the time since those before.',
      BETWEEN_SECONDS,
    );
    this.endToEnd = histogram('e2e_request_latency_seconds', "From a request's arrival to the end of an answer.", REQUEST_SECONDS);
    const modelHistogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name: `vllm:${name}`, help, buckets, labelNames: BY_MODEL, registers });
    this.queueTime = modelHistogram('request_queue_time_seconds', 'Waiting before the first run.', REQUEST_SECONDS);
    this.prefillTime = modelHistogram('request_prefill_time_seconds', 'From the first run to the first token.', REQUEST_SECONDS);
    this.decodeTime = modelHistogram('request_decode_time_seconds', 'From the first token to the last.', REQUEST_SECONDS);
    this.inferenceTime = modelHistogram('request_inference_time_seconds', 'From the first run to the last token.', REQUEST_SECONDS);
    this.requestPromptTokens = modelHistogram('request_prompt_tokens', 'Prompt tokens of an answer that ended.', TOKENS);
    this.requestGenerationTokens = modelHistogram('request_generation_tokens', 'Tokens of an answer that ended.', TOKENS);
  }

  read(row: ObservedRow): void {
    this.promptTokens.inc(this.labelsOf(row), row.start.promptTokens);
  }

  began(row: ObservedRow): void {
    if (row.firstTokenAtMs !== undefined) this.firstToken.observe(this.labelsOf(row), (row.firstTokenAtMs - row.start.arrivedAtMs) / 1000);
  }

  continued(row: ObservedRow, gapMs: number, tokens: number): void {
    const series = this.betweenTokens.labels(this.labelsOf(row));
    for (let i = 0; i < tokens; i++) series.observe(gapMs / 1000);
  }

  wrote(row: ObservedRow, tokens: number): void {
    this.generationTokens.inc(this.labelsOf(row), tokens);
  }

  ended(row: ObservedRow, end: RowEnd): void {
    const { startedAtMs, firstTokenAtMs, lastTokenAtMs, openedAtMs, endedAtMs, start, tokens } = row;
    const labels = this.labelsOf(row);
    const { model_name } = labels;
    // What was refused at the door of the queue never was a request of the engine.
    if (end === 'error' && startedAtMs === undefined) return;
    this.success.inc({ ...labels, finished_reason: end });
    this.endToEnd.observe(labels, ((endedAtMs ?? openedAtMs) - start.arrivedAtMs) / 1000);
    this.requestPromptTokens.observe({ model_name }, start.promptTokens);
    this.requestGenerationTokens.observe({ model_name }, tokens);
    if (startedAtMs === undefined) return;
    this.queueTime.observe({ model_name }, (startedAtMs - openedAtMs) / 1000);
    if (firstTokenAtMs === undefined || lastTokenAtMs === undefined) return;
    this.prefillTime.observe({ model_name }, (firstTokenAtMs - startedAtMs) / 1000);
    this.decodeTime.observe({ model_name }, (lastTokenAtMs - firstTokenAtMs) / 1000);
    this.inferenceTime.observe({ model_name }, (lastTokenAtMs - startedAtMs) / 1000);
  }

  private labelsOf({ start: { names } }: ObservedRow): { readonly model_name: string; readonly adapter: string } {
    return { model_name: this.registry.models.of(names.model), adapter: this.registry.adapters.of(names.adapter) };
  }
}
