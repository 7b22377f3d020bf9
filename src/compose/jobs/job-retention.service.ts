// Forgets what is too old: jobs that ended, and evaluations that a job may have wanted again.
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { ComposeJobStore } from './compose-job.store.js';
import { EvaluationStore } from '../evaluations/evaluation-store.js';

const INTERVAL_MS = 3_600_000;

@Injectable()
export class JobRetention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('compose');
  private timer: NodeJS.Timeout | undefined;
  private cleaning: Promise<void> = Promise.resolve();

  constructor(
    private readonly jobs: ComposeJobStore,
    private readonly evaluations: EvaluationStore,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'retentionDays'>,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.cleanLater(), INTERVAL_MS);
    this.timer.unref();
    this.cleanLater();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.cleaning;
  }

  /** Removes what is older than the configured days. */
  async clean(): Promise<void> {
    const { retentionDays } = this.configuration;
    const jobs = await this.jobs.removeOld(retentionDays);
    const evaluations = await this.evaluations.removeOld(retentionDays);
    if (jobs + evaluations > 0) this.logger.log('removed what was older than the retention', { jobs, evaluations });
  }

  private cleanLater(): void {
    this.cleaning = this.clean().catch((error: unknown) => this.logger.warn('old jobs and evaluations not removed', { err: error }));
  }
}
