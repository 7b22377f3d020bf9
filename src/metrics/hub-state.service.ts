// What the hub is doing now, read when someone looks: its engines by the names of their base models, its jobs, the rows under way.
import { Injectable, Logger } from '@nestjs/common';
import { ComposeJobStore } from '#src/compose/jobs/compose-job.store.js';
import type { Digest } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import type { EngineStats } from '#src/runtime/engine-stats.js';
import { EnginesService } from '#src/runtime/runtime.service.js';
import type { WorkStatus } from '#src/work/work-status.js';
import { GenerationWatcher } from './generation-watcher.js';
import type { ObservedRow } from './observed-row.js';

export interface NamedEngine {
  /** Of the base model. */
  readonly name: string;
  readonly stats: EngineStats;
}

@Injectable()
export class HubState {
  private readonly logger = new Logger('metrics');
  private names: ReadonlyMap<Digest, string> = new Map();

  constructor(
    private readonly engines: EnginesService,
    private readonly registry: RegistryService,
    private readonly jobs: ComposeJobStore,
    private readonly watcher: GenerationWatcher,
  ) {}

  /** Those that are open. */
  async listEngines(): Promise<NamedEngine[]> {
    const open = [...this.engines.stats];
    if (open.some(([digest]) => !this.names.has(digest))) await this.readNames();
    return open.map(([digest, stats]) => ({ name: this.names.get(digest) ?? digest, stats }));
  }

  /** Composition jobs by status; undefined while the database does not answer, which must hide nothing else. */
  async countJobs(): Promise<ReadonlyMap<WorkStatus, number> | undefined> {
    try {
      return await this.jobs.countByStatus();
    } catch (error) {
      this.logger.warn('jobs cannot be counted', { err: error });
      return undefined;
    }
  }

  /** Answers under way, those of the oldest request first. */
  get rows(): readonly ObservedRow[] {
    return this.watcher.underWay.flatMap(({ rows }) => rows.filter(({ end }) => end === undefined));
  }

  private async readNames(): Promise<void> {
    try {
      this.names = new Map((await this.registry.listBaseModels()).map(({ digest, name }) => [digest, name]));
    } catch (error) {
      this.logger.warn('the names of base models cannot be read', { err: error });
    }
  }
}
