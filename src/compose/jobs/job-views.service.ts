// Jobs and compositions as clients see them: listed, shown, followed to their end, cancelled.
import { Injectable, type MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { parseRepoName, parseRowId, parseVersion } from '#src/ids/ids.js';
import type { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { promptOfVersion } from '#src/registry/prompt-of-model.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { streamWork } from '#src/work/follow-work.js';
import { DEFAULT_JOBS_IN_PAGE, type ListJobsQuery } from '../compose.dto.js';
import { failCompose } from '../compose.errors.js';
import type { CompositionJobView, CompositionView, JobListView } from '../compose.views.js';
import type { CompositionReport } from '../report.js';
import type { ComposeJob } from './compose-job.entity.js';
import { ComposeJobStore } from './compose-job.store.js';
import { JobBroadcast } from './job-broadcast.js';
import { decodeJobCursor, encodeJobCursor } from './job-cursor.js';
import { followJob, parseEventId } from './job-events.js';
import { JobRunner } from './job-runner.service.js';
import { type KeptRecipe, showRecipe } from './job-settings.js';
import { listedJobView } from './listed-job-view.js';

@Injectable()
export class JobViews {
  constructor(
    private readonly registry: RegistryService,
    private readonly store: ComposeJobStore,
    private readonly runner: JobRunner,
    private readonly broadcast: JobBroadcast,
  ) {}

  /** @throws BraidError INVALID_CURSOR */
  async listJobs({ status, limit = DEFAULT_JOBS_IN_PAGE, after }: ListJobsQuery): Promise<JobListView> {
    const place = after === undefined ? undefined : decodeJobCursor(after);
    // One more than asked for, to know whether there is a next page.
    const jobs = await this.store.list({ status, limit: limit + 1, after: place });
    const last = jobs.length > limit ? jobs[limit - 1] : undefined;
    return {
      items: jobs.slice(0, limit).map((job) => listedJobView(job, this.broadcast.progressOf(job.id))),
      next: last === undefined ? null : encodeJobCursor(last),
    };
  }

  /** @throws BraidError UNKNOWN_JOB */
  async getJob(idText: string): Promise<CompositionJobView> {
    return this.viewOf(await this.store.get(parseRowId(idText)));
  }

  /** Again is harmless. @throws BraidError UNKNOWN_JOB, JOB_ENDED when it succeeded or failed before */
  async cancelJob(idText: string): Promise<CompositionJobView> {
    const id = parseRowId(idText);
    const wasOpen = await this.store.cancel(id);
    const job = await this.store.get(id);
    if (!wasOpen && job.status !== 'cancelled') throw failCompose('JOB_ENDED', { id, status: job.status });
    this.runner.cancel(id);
    return this.viewOf(job);
  }

  /** The job's events from its state now, or from what followed `lastEventId`, to its end. @throws BraidError UNKNOWN_JOB before the stream begins */
  async followJob(idText: string, lastEventId?: string): Promise<Observable<MessageEvent>> {
    const id = parseRowId(idText);
    await this.store.get(id);
    const follow = (signal: AbortSignal) =>
      followJob(id, {
        broadcast: this.broadcast,
        getJob: (jobId) => this.store.get(jobId),
        listImprovements: (jobId, after) => this.store.listImprovements(jobId, after),
        getComposition: (job) => this.compositionOf(job),
        after: parseEventId(lastEventId),
        signal,
      });
    return streamWork(follow, this.broadcast.closing);
  }

  /** The version asked for, or the latest. @throws BraidError UNKNOWN_COMPOSITION, UNKNOWN_VERSION */
  async getComposition(name: string, version: string | undefined): Promise<CompositionView> {
    return compositionView(
      await this.registry.getCompositionVersion(parseRepoName(name), version === undefined ? undefined : parseVersion(version)),
    );
  }

  private async viewOf(job: ComposeJob): Promise<CompositionJobView> {
    const { id, status, request } = job;
    return {
      ...listedJobView(job, this.broadcast.progressOf(id)),
      candidates: request.candidates.map((candidate) => `${candidate.adapter}@${candidate.version}`),
      examples: request.examples.length,
      budget: request.budget,
      seed: request.seed,
      strategy: request.strategy,
      space: request.space ?? 'delta',
      precision: request.precision ?? 'float32',
      objective: request.objective ?? 'likelihood',
      shots: request.shots ?? null,
      composition: status === 'succeeded' ? await this.compositionOf(job) : null,
    };
  }

  private async compositionOf(job: ComposeJob): Promise<CompositionView> {
    return compositionView(await this.registry.getCompositionVersion(job.name, job.compositionVersion ?? undefined));
  }
}

function compositionView(found: CompositionVersion): CompositionView {
  const { repository, version, space, parts, recipe, report, createdAt } = found;
  return {
    name: repository.fullName,
    version,
    baseModel: repository.baseModel.name,
    space,
    parts,
    prompt: promptOfVersion(found),
    // Written by the job runner, whose types these are.
    recipe: showRecipe(recipe as unknown as KeptRecipe),
    report: report as unknown as CompositionReport,
    createdAt: createdAt.toISOString(),
  };
}
