// The hub's state as metrics: read when they are asked for, so that it costs nothing while nobody asks.
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge } from 'prom-client';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import type { EngineStats } from '#src/runtime/engine-stats.js';
import { WORK_STATUSES } from '#src/work/work-status.js';
import { HubState } from './hub-state.service.js';
import { MetricsRegistry } from './metrics-registry.js';

type ReadStats = (stats: EngineStats) => number;

const GAUGES: Readonly<Record<string, readonly [help: string, read: ReadStats]>> = {
  'vllm:num_requests_running': ['Rows that someone waits for and that are in the batch.', ({ requests }) => requests.running],
  'vllm:num_requests_waiting': ['Requests that someone waits for and that have not run yet.', ({ requests }) => requests.waiting],
  'vllm:kv_cache_usage_perc': [
    'Share of the memory for key/value caches that the rows in the batch may come to; 1 is all of it.',
    ({ cache }) => Math.min(1, cache.bytes / cache.limitBytes),
  ],
  braid_kv_cache_bytes: ['Memory that the caches of the rows in the batch may come to.', ({ cache }) => cache.bytes],
  braid_kv_cache_limit_bytes: ['Memory for key/value caches.', ({ cache }) => cache.limitBytes],
  braid_background_rows_running: ['Rows of searches and evaluations in the batch.', ({ background }) => background.running],
  braid_background_requests_waiting: [
    'Requests of searches and evaluations that have not run yet.',
    ({ background }) => background.waiting,
  ],
  braid_adapters_resident: ['Adapters in memory.', ({ adapters }) => adapters.resident],
  braid_adapter_pages: ['Pages that they fill.', ({ adapters }) => adapters.pages],
  braid_adapter_memory_bytes: ['Memory that they fill.', ({ adapters }) => adapters.bytes],
  braid_adapter_memory_limit_bytes: ['Memory for adapters (BRAID_ADAPTER_MEMORY_MB).', ({ adapters }) => adapters.limitBytes],
};

const COUNTERS: typeof GAUGES = {
  braid_adapter_loads_total: ['Adapters brought into memory.', ({ adapters }) => adapters.loads],
  braid_adapter_evictions_total: ['Adapters given up for others.', ({ adapters }) => adapters.evictions],
  braid_runs_total: ['Runs of the model.', ({ runs }) => runs.runs],
  braid_run_steps_total: ['Steps of those runs: divided by the runs, how many a run has.', ({ runs }) => runs.steps],
  braid_run_rows_total: ['Rows of those runs: divided by the runs, how full a batch is.', ({ runs }) => runs.rows],
  braid_worker_restarts_total: ['Deaths of the worker, which the next request starts again.', ({ workerLosses }) => workerLosses],
};

const LORA_LABELS = ['max_lora', 'running_lora_adapters', 'waiting_lora_adapters'] as const;

@Injectable()
export class StateMetrics {
  private readonly jobs;
  private readonly loras;
  private readonly gauges;
  private readonly counters;

  constructor(
    private readonly registry: MetricsRegistry,
    private readonly state: HubState,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {
    const registers = [registry];
    const labelNames = ['model_name'] as const;
    this.gauges = Object.entries(GAUGES).map(([name, [help, read]]) => ({
      read,
      metric: new Gauge({ name, help, labelNames, registers }),
    }));
    this.counters = Object.entries(COUNTERS).map(([name, [help, read]]) => ({
      read,
      metric: new Counter({ name, help, labelNames, registers }),
    }));
    this.jobs = new Gauge({ name: 'braid_compose_jobs', help: 'Composition jobs by status.', labelNames: ['status'], registers });
    this.loras = new Gauge({
      name: 'vllm:lora_requests_info',
      help: 'Adapters of the requests that run and wait; the value is the time, in Unix seconds.',
      labelNames: LORA_LABELS,
      registers,
    });
  }

  /** Everything in Prometheus' text format. */
  async render(): Promise<string> {
    await Promise.all([this.readEngines(), this.readJobs()]);
    this.readAdapters();
    return this.registry.metrics();
  }

  private async readEngines(): Promise<void> {
    const engines = await this.state.listEngines();
    for (const { read, metric } of this.gauges) {
      metric.reset();
      // Base models beyond the cap share a series.
      for (const { name, stats } of engines) metric.inc({ model_name: this.registry.models.of(name) }, read(stats));
    }
    for (const { read, metric } of this.counters) {
      metric.reset();
      for (const { name, stats } of engines) metric.inc({ model_name: this.registry.models.of(name) }, read(stats));
    }
  }

  private async readJobs(): Promise<void> {
    const counts = await this.state.countJobs();
    this.jobs.reset();
    if (counts !== undefined) for (const status of WORK_STATUSES) this.jobs.set({ status }, counts.get(status) ?? 0);
  }

  private readAdapters(): void {
    const { rows } = this.state;
    const namesOf = (isRunning: boolean): string => {
      const named = rows.filter(({ startedAtMs, start }) => start.names.adapter !== '' && (startedAtMs !== undefined) === isRunning);
      return [...new Set(named.map(({ start }) => this.registry.adapters.of(start.names.adapter)))].join(',');
    };
    this.loras.reset();
    this.loras.set(
      { max_lora: this.configuration.maxBatchRows, running_lora_adapters: namesOf(true), waiting_lora_adapters: namesOf(false) },
      Date.now() / 1000,
    );
  }
}
