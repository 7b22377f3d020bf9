// The rows of composition jobs. Every transition is one compare-and-set statement, safe to repeat and from any process; times are the database's.
import { Injectable } from '@nestjs/common';
import { DataSource, QueryFailedError } from 'typeorm';
import { createRowId, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import { ComposeJob, type JobRequest } from './compose-job.entity.js';
import { failCompose } from './compose.errors.js';
import type { JobFailure, JobProgress } from './compose.views.js';

export interface NewJob {
  readonly name: RepoName;
  readonly version: Version | undefined;
  readonly baseModelId: RowId;
  readonly request: JobRequest;
}

export type JobEnding =
  | { readonly status: 'succeeded'; readonly compositionVersion: Version }
  | { readonly status: 'failed'; readonly error: JobFailure }
  | { readonly status: 'cancelled' };

/** A process that runs a job says so this often; without word for LEASE_MS it counts as dead. */
export const RENEWAL_MS = 4_000;
export const LEASE_MS = 15_000;
/** Starts of a job whose process died on it each time, before it is given up. */
export const MOST_ATTEMPTS = 3;
const MOST_WAITING = 100;

const ONE_RUNNING = 'compose_jobs_one_running';

@Injectable()
export class ComposeJobStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Queues a job. @throws BraidError TOO_MANY_JOBS */
  async create({ name, version, baseModelId, request }: NewJob): Promise<RowId> {
    const waiting = await this.dataSource.manager.countBy(ComposeJob, { status: 'queued' });
    if (waiting >= MOST_WAITING) throw failCompose('TOO_MANY_JOBS', { waiting });
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
      `INSERT INTO compose_jobs (id, name, version, base_model_id, status, request, progress) VALUES ($1, $2, $3, $4, 'queued', $5, $6)`,
      [id, name, version ?? null, baseModelId, JSON.stringify(request), JSON.stringify(progress)],
    );
    return id;
  }

  /** With its base model. @throws BraidError UNKNOWN_JOB */
  async get(id: RowId): Promise<ComposeJob> {
    const job = await this.dataSource.manager.findOne(ComposeJob, { where: { id }, relations: { baseModel: true } });
    if (job === null) throw failCompose('UNKNOWN_JOB', { id });
    return job;
  }

  /** queued → running: the oldest job whose base model runs none. Undefined when there is none. */
  async claim(owner: RowId): Promise<ComposeJob | undefined> {
    try {
      const [claimed] = await this.update(
        `status = 'running', lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond', attempts = attempts + 1,
         started_at = coalesce(started_at, now())`,
        `status = 'queued' AND id = (
           SELECT job.id FROM compose_jobs job
           WHERE job.status = 'queued'
             AND NOT EXISTS (SELECT FROM compose_jobs other WHERE other.status = 'running' AND other.base_model_id = job.base_model_id)
           ORDER BY job.created_at, job.id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
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

  async saveProgress(id: RowId, owner: RowId, progress: JobProgress): Promise<void> {
    await this.update('progress = $3', `id = $1 AND status = 'running' AND lease_owner = $2`, [id, owner, JSON.stringify(progress)]);
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

  /** Ids of the rows that changed; as a SELECT, because drivers answer an UPDATE in different shapes. */
  private async update(set: string, where: string, parameters: readonly unknown[]): Promise<RowId[]> {
    const rows: { id: RowId }[] = await this.dataSource.query(
      `WITH changed AS (UPDATE compose_jobs SET ${set} WHERE ${where} RETURNING id) SELECT id FROM changed`,
      [...parameters],
    );
    return rows.map(({ id }) => id);
  }
}
