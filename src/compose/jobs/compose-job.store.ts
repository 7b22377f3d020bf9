// The rows of composition jobs: what a search asked for, how far it is, and whose turn is next.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { createRowId, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import type { WorkStatus } from '#src/work/work-status.js';
import { WorkStore } from '#src/work/work-store.js';
import { ComposeJob, type JobRequest } from './compose-job.entity.js';
import { failCompose } from '../compose.errors.js';
import type { JobProgress } from '../compose.views.js';

export interface NewJob {
  readonly name: RepoName;
  readonly version: Version | undefined;
  readonly baseModelId: RowId;
  readonly request: JobRequest;
  /** −1, 0 or 1. @default 0 */
  readonly priority?: number;
}

/** A page of jobs, newest first. */
export interface JobListing {
  readonly status?: WorkStatus | undefined;
  readonly limit: number;
  /** The last job of the page before. */
  readonly after?: JobPlace | undefined;
}

export interface JobPlace {
  /** Microseconds since 1970, as the database has them. */
  readonly createdAtUs: string;
  readonly id: RowId;
}

/** A job without its request, which may be large. */
export type ListedJob = Omit<ComposeJob, 'request'> & { readonly createdAtUs: string };

const MOST_WAITING = 1_000;
/** So that one namespace cannot fill the queue for all. */
const MOST_WAITING_OF_NAMESPACE = 100;
const RETRY_DELAY_MS = 10_000;

const LISTED_COLUMNS = [
  'id',
  'name',
  'version',
  'baseModelId',
  'status',
  'priority',
  'progress',
  'compositionVersion',
  'error',
  'attempts',
  'cancelRequested',
  'createdAt',
  'startedAt',
  'finishedAt',
] as const satisfies readonly (keyof ComposeJob)[];

// The highest priority, then one that was begun before, then one of the namespace whose last turn is longest ago.
const TURNS = `waiting.priority DESC, waiting.started_at IS NULL,
  (SELECT max(turn.started_at) FROM compose_jobs turn WHERE turn.namespace = waiting.namespace) NULLS FIRST`;

@Injectable()
export class ComposeJobStore extends WorkStore<ComposeJob, Version> {
  constructor(dataSource: DataSource) {
    super(dataSource, {
      entity: ComposeJob,
      name: 'compose_jobs',
      order: TURNS,
      retryDelayMs: RETRY_DELAY_MS,
      resultColumns: (version) => ({ composition_version: version }),
      unknown: (id) => failCompose('UNKNOWN_JOB', { id }),
      abandoned: (attempts) => failCompose('JOB_ABANDONED', { attempts }),
    });
  }

  /** Queues a job. @throws BraidError TOO_MANY_JOBS */
  async create({ name, version, baseModelId, request, priority = 0 }: NewJob): Promise<RowId> {
    const namespace = name.slice(0, name.indexOf('/'));
    const [row] = await this.dataSource.query<{ waiting: number; own: number }[]>(
      `SELECT count(*)::int AS waiting, (count(*) FILTER (WHERE namespace = $1))::int AS own FROM compose_jobs WHERE status = 'queued'`,
      [namespace],
    );
    const { waiting, own } = row ?? { waiting: 0, own: 0 };
    if (own >= MOST_WAITING_OF_NAMESPACE) throw failCompose('TOO_MANY_JOBS', { waiting: own, whose: ` of "${namespace}"` });
    if (waiting >= MOST_WAITING) throw failCompose('TOO_MANY_JOBS', { waiting, whose: '' });
    const id = createRowId();
    const progress: JobProgress = {
      stage: 'queued',
      evaluations: 0,
      budget: request.budget,
      bestObjective: null,
      bestLoss: null,
      elapsedMs: 0,
    };
    await this.dataSource.query(
      `INSERT INTO compose_jobs (id, name, version, base_model_id, status, request, progress, priority)
       VALUES ($1, $2, $3, $4, 'queued', $5, $6, $7)`,
      [id, name, version ?? null, baseModelId, JSON.stringify(request), JSON.stringify(progress), priority],
    );
    return id;
  }

  /** Newest first, with their base models. */
  async list({ status, limit, after }: JobListing): Promise<ListedJob[]> {
    const query = this.dataSource.manager
      .createQueryBuilder(ComposeJob, 'job')
      .select(LISTED_COLUMNS.map((column) => `job.${column}`))
      .addSelect('(extract(epoch FROM job.created_at) * 1000000)::bigint::text', 'created_at_us')
      .innerJoinAndSelect('job.baseModel', 'baseModel')
      .orderBy('job.createdAt', 'DESC')
      .addOrderBy('job.id', 'DESC')
      .limit(limit);
    if (status !== undefined) query.andWhere('job.status = :status', { status });
    if (after !== undefined) {
      query.andWhere(
        `(job.created_at, job.id) < (timestamptz 'epoch' + :createdAtUs::bigint * interval '1 microsecond', :id::uuid)`,
        after,
      );
    }
    const { entities, raw } = await query.getRawAndEntities<{ created_at_us: string }>();
    return entities.map((job, i) => Object.assign(job, { createdAtUs: raw[i]?.created_at_us ?? '0' }));
  }

  /** The improvements of a job after so many evaluations, in their order. */
  async listImprovements(id: RowId, after: number): Promise<JobProgress[]> {
    const rows = await this.dataSource.query<{ progress: JobProgress }[]>(
      'SELECT progress FROM compose_improvements WHERE job_id = $1 AND evaluations > $2 ORDER BY evaluations',
      [id, after],
    );
    return rows.map(({ progress }) => progress);
  }

  /** @param improvements those since the last call; one that is there already, from a run before, stays */
  async saveProgress(id: RowId, owner: RowId, progress: JobProgress, improvements: readonly JobProgress[] = []): Promise<void> {
    await this.dataSource.query(
      `WITH held AS (
         UPDATE compose_jobs SET progress = $3 WHERE id = $1 AND status = 'running' AND lease_owner = $2 RETURNING id)
       INSERT INTO compose_improvements (job_id, evaluations, progress)
       SELECT held.id, (improvement ->> 'evaluations')::float8, improvement FROM held, jsonb_array_elements($4::jsonb) improvement
       ON CONFLICT (job_id, evaluations) DO NOTHING`,
      [id, owner, JSON.stringify(progress), JSON.stringify(improvements)],
    );
  }

  /** The job got further than ever: only starts that measure nothing new count against MOST_ATTEMPTS. */
  async forgiveAttempts(id: RowId, owner: RowId): Promise<void> {
    await this.changeOwn(id, owner, 'attempts = 1');
  }

  /** Removes jobs that ended more than so many days ago; their compositions stay. @returns how many */
  async removeOld(days: number): Promise<number> {
    const rows: { count: number }[] = await this.dataSource.query(
      `WITH removed AS (
         DELETE FROM compose_jobs
         WHERE status IN ('succeeded', 'failed', 'cancelled') AND finished_at < now() - $1 * interval '1 day' RETURNING 1)
       SELECT count(*)::int AS count FROM removed`,
      [days],
    );
    return rows[0]?.count ?? 0;
  }
}
