// The hub's state as one document, for `braid top` and pages: names and numbers, never what was asked.
import { Injectable } from '@nestjs/common';
import { readPackageVersion } from '#src/config/package-version.js';
import { HubState, type NamedEngine } from './hub-state.service.js';
import type { HubStatsView, ModelStatsView, RowStatsView } from './hub-stats.view.js';
import type { ObservedRow } from './observed-row.js';
import { RecentRows } from './recent-rows.js';

const MOST_ROWS = 50;

@Injectable()
export class HubStats {
  constructor(
    private readonly state: HubState,
    private readonly recent: RecentRows,
  ) {}

  async read(): Promise<HubStatsView> {
    const [version, engines, jobs] = await Promise.all([readPackageVersion(), this.state.listEngines(), this.state.countJobs()]);
    const { rows } = this.state;
    const now = performance.now();
    return {
      version,
      uptimeMs: Math.round(process.uptime() * 1000),
      models: engines.map((engine) => this.viewOf(engine)),
      rows: [...rows.filter(isRunning).reverse(), ...rows.filter((row) => !isRunning(row)).reverse()]
        .slice(0, MOST_ROWS)
        .map((row) => rowView(row, now)),
      rowCount: rows.length,
      jobs: jobs === undefined ? null : Object.fromEntries(jobs),
    };
  }

  private viewOf({ name, stats }: NamedEngine): ModelStatsView {
    const { requests, background, cache, adapters, runs, workerLosses } = stats;
    return {
      name,
      running: requests.running,
      waiting: requests.waiting,
      backgroundRunning: background.running,
      backgroundWaiting: background.waiting,
      cacheBytes: cache.bytes,
      cacheLimitBytes: cache.limitBytes,
      adapters: adapters.resident,
      adapterPages: adapters.pages,
      adapterBytes: adapters.bytes,
      adapterLimitBytes: adapters.limitBytes,
      adapterLoads: adapters.loads,
      adapterEvictions: adapters.evictions,
      workerRestarts: workerLosses,
      runs: runs.runs,
      lastMinute: this.recent.summaryOf(name),
    };
  }
}

function isRunning({ startedAtMs }: ObservedRow): boolean {
  return startedAtMs !== undefined;
}

function rowView({ start, startedAtMs, firstTokenAtMs, tokens }: ObservedRow, now: number): RowStatsView {
  const decodedMs = firstTokenAtMs === undefined ? 0 : now - firstTokenAtMs;
  return {
    ...start.names,
    state: startedAtMs === undefined ? 'waiting' : firstTokenAtMs === undefined ? 'prefill' : 'decode',
    promptTokens: start.promptTokens,
    tokens,
    tokensPerSecond: decodedMs > 0 ? Math.round((10_000 * Math.max(0, tokens - 1)) / decodedMs) / 10 : 0,
    ageMs: Math.round(now - start.arrivedAtMs),
  };
}
