// The rows of composition jobs. Every transition is one compare-and-set statement, safe to repeat and from any process; times are the database's.
import { Injectable } from '@nestjs/common';
import { DataSource, QueryFailedError } from 'typeorm';
import { createRowId, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import { ComposeJob, type JobRequest } from './compose-job.entity.js';
import { failCompose } from '../compose.errors.js';
import type { JobFailure, JobProgress, JobStatus } from '../compose.views.js';

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
  readonly status?: JobStatus | undefined;
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

export type JobEnding =
  | { readonly status: 'succeeded'; readonly compositionVersion: Version }
  | { readonly status: 'failed'; readonly error: JobFailure }
  | { readonly status: 'cancelled' };

/** A process that runs a job says so this often; without word for LEASE_MS it counts as dead. */
export const RENEWAL_MS = 4_000;
export const LEASE_MS = 15_000;
/** Starts of a job whose process died on it, or that failed in passing, and that got no further, before it is given up. */
export const MOST_ATTEMPTS = 3;
const MOST_WAITING = 1_000;
/** So that one namespace cannot fill the queue for all. */
const MOST_WAITING_OF_NAMESPACE = 100;
const RETRY_DELAY_MS = 10_000;

const ONE_RUNNING = 'compose_jobs_one_running';

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

@Injectable()
export class ComposeJobStore {
  constructor(private readonly dataSource: DataSource) {}

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

  /** With its base model. @throws BraidError UNKNOWN_JOB */
  async get(id: RowId): Promise<ComposeJob> {
    const job = await this.dataSource.manager.findOne(ComposeJob, { where: { id }, relations: { baseModel: true } });
    if (job === null) throw failCompose('UNKNOWN_JOB', { id });
    return job;
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

  /**
   * queued → running: among the jobs whose base model runs none, those of the highest priority; of these one that was begun before,
   * then one of the namespace whose last turn is longest ago, then the oldest. Undefined when there is none.
   */
  async claim(owner: RowId): Promise<ComposeJob | undefined> {
    try {
      const [claimed] = await this.update(
        `status = 'running', lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond', attempts = attempts + 1,
         started_at = coalesce(started_at, now())`,
        `status = 'queued' AND id = (
           SELECT job.id FROM compose_jobs job
           WHERE job.status = 'queued' AND job.run_after <= now()
             AND NOT EXISTS (SELECT FROM compose_jobs other WHERE other.status = 'running' AND other.base_model_id = job.base_model_id)
           ORDER BY job.priority DESC, job.started_at IS NULL,
             (SELECT max(turn.started_at) FROM compose_jobs turn WHERE turn.namespace = job.namespace) NULLS FIRST,
             job.created_at, job.id
           LIMIT 1 FOR UPDATE SKIP LOCKED)`,
        [owner, LEASE_MS],
      );
      return claimed === undefined ? undefined : await this.get(claimed);
    } catch (error) {
      // Another process started a job on this base model in the same moment.
      if (error instanceof QueryFailedError && String(error.driverError).includes(ONE_RUNNING)) return undefined;
      throw error;
    }
  }

  /** Prolongs the lease. @returns whether the job is still the owner's, and whether someone wants it cancelled */
  async renew(id: RowId, owner: RowId): Promise<{ readonly held: boolean; readonly cancelRequested: boolean }> {
    const rows: { cancel_requested: boolean }[] = await this.dataSource.query(
      `WITH renewed AS (
         UPDATE compose_jobs SET lease_until = now() + $3 * interval '1 millisecond'
         WHERE id = $1 AND status = 'running' AND lease_owner = $2 RETURNING cancel_requested)
       SELECT cancel_requested FROM renewed`,
      [id, owner, LEASE_MS],
    );
    return { held: rows.length > 0, cancelRequested: rows[0]?.cancel_requested ?? false };
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
    await this.update('attempts = 1', `id = $1 AND status = 'running' AND lease_owner = $2`, [id, owner]);
  }

  /** running → its end. @returns false when the job is not the owner's any more */
  async finish(id: RowId, owner: RowId, progress: JobProgress, ending: JobEnding): Promise<boolean> {
    const version = ending.status === 'succeeded' ? ending.compositionVersion : null;
    const error = ending.status === 'failed' ? JSON.stringify(ending.error) : null;
    const ended = await this.update(
      `status = $3, composition_version = $4, error = $5, progress = $6, lease_owner = NULL, lease_until = NULL, finished_at = now()`,
      `id = $1 AND status = 'running' AND lease_owner = $2`,
      [id, owner, ending.status, version, error, JSON.stringify(progress)],
    );
    return ended.length > 0;
  }

  /** running → queued after a failure that passes, to be run again a while later. @returns false when it was tried often enough */
  async retry(id: RowId, owner: RowId): Promise<boolean> {
    const queued = await this.update(
      `status = 'queued', lease_owner = NULL, lease_until = NULL, run_after = now() + attempts * $4 * interval '1 millisecond'`,
      `id = $1 AND status = 'running' AND lease_owner = $2 AND attempts < $3 AND NOT cancel_requested`,
      [id, owner, MOST_ATTEMPTS, RETRY_DELAY_MS],
    );
    return queued.length > 0;
  }

  /** running → queued, when a process stops in good order: the attempt does not count. */
  async release(id: RowId, owner: RowId): Promise<void> {
    await this.update(
      `status = 'queued', attempts = attempts - 1, lease_owner = NULL, lease_until = NULL`,
      `id = $1 AND status = 'running' AND lease_owner = $2`,
      [id, owner],
    );
  }

  /**
   * queued → cancelled; a running job is marked for its process to see.
   * @returns false when it has ended already
   */
  async cancel(id: RowId): Promise<boolean> {
    const cancelled = await this.update(
      `cancel_requested = true,
       status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
       finished_at = CASE WHEN status = 'queued' THEN now() ELSE finished_at END`,
      `id = $1 AND status IN ('queued', 'running')`,
      [id],
    );
    return cancelled.length > 0;
  }

  /** Jobs whose process gave no word: queued again, cancelled where that was asked for, or failed after MOST_ATTEMPTS starts. */
  async recoverAbandoned(): Promise<void> {
    const { code, message, retryable } = failCompose('JOB_ABANDONED', { attempts: MOST_ATTEMPTS });
    await this.update(
      `status = CASE WHEN cancel_requested THEN 'cancelled' WHEN attempts >= $1 THEN 'failed' ELSE 'queued' END,
       error = CASE WHEN NOT cancel_requested AND attempts >= $1 THEN $2::jsonb END,
       finished_at = CASE WHEN cancel_requested OR attempts >= $1 THEN now() END,
       lease_owner = NULL, lease_until = NULL`,
      `status = 'running' AND lease_until < now()`,
      [MOST_ATTEMPTS, JSON.stringify({ code, message, retryable } satisfies JobFailure)],
    );
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

  /** Ids of the rows that changed; as a SELECT, because drivers answer an UPDATE in different shapes. */
  private async update(set: string, where: string, parameters: readonly unknown[]): Promise<RowId[]> {
    const rows: { id: RowId }[] = await this.dataSource.query(
      `WITH changed AS (UPDATE compose_jobs SET ${set} WHERE ${where} RETURNING id) SELECT id FROM changed`,
      [...parameters],
    );
    return rows.map(({ id }) => id);
  }
}
