// The rows of evaluations that a running job wants done: wanted → leased → done, gone when the job has read them. And who is there to do them.
// Every transition is one compare-and-set statement; times are the database's.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Digest, RowId } from '#src/ids/ids.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { Precision } from '#src/runtime/engine.js';
import type { EvaluationRequest, ExampleLoss } from '../evaluate.js';

/** Everything that a process needs to evaluate, besides base model and adapters. */
export interface TaskWork {
  readonly candidates: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  /** Their examples are indices into `examples` here. */
  readonly requests: readonly EvaluationRequest[];
  readonly space: Space;
  readonly precision: Precision;
}

export type TaskLosses = readonly (readonly ExampleLoss[])[];

export interface EvaluationTask {
  readonly jobId: RowId;
  /** Among the tasks of its job. */
  readonly position: number;
  readonly base: { readonly id: RowId; readonly digest: Digest };
  readonly work: TaskWork;
}

/** Which tasks a process wants. */
export interface TaskChoice {
  /** Only those of this job, however often they were tried. */
  readonly jobId?: RowId;
  /** Base models that the process cannot open. */
  readonly withoutBases?: readonly RowId[];
}

/** A process that does a task renews its lease several times in this time; without word it counts as dead. */
export const TASK_LEASE_MS = 10_000;
/** Processes that may fail at a task before it is left to the job's own. */
const MOST_ATTEMPTS = 3;
/** A process that gave no word for so long is not counted on. */
const PRESENCE_MS = 15_000;

@Injectable()
export class EvaluationTaskStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Replaces the tasks of a job, which a process that died may have left. */
  async replace(jobId: RowId, baseModelId: RowId, work: readonly TaskWork[]): Promise<void> {
    await this.clear(jobId);
    await this.dataSource.query(
      `INSERT INTO compose_tasks (job_id, position, base_model_id, work)
       SELECT $1, task.position - 1, $2, task.work FROM unnest($3::json[]) WITH ORDINALITY AS task (work, position)`,
      [jobId, baseModelId, work.map((part) => JSON.stringify(part))],
    );
  }

  /** wanted → leased, also what a process that is gone had leased: the oldest task of a running job. Undefined when there is none. */
  async claim(owner: RowId, { jobId, withoutBases = [] }: TaskChoice): Promise<EvaluationTask | undefined> {
    const rows: { job_id: RowId; position: number; base_id: RowId; base_digest: Digest; work: TaskWork }[] = await this.dataSource.query(
      `WITH claimed AS (
         UPDATE compose_tasks SET status = 'leased', lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond', attempts = attempts + 1
         WHERE (job_id, position) = (
           SELECT task.job_id, task.position FROM compose_tasks task
           WHERE (task.status = 'wanted' OR (task.status = 'leased' AND task.lease_until < now()))
             AND (task.job_id = $3 OR ($3::uuid IS NULL AND task.attempts < $4 AND task.base_model_id <> ALL ($5::uuid[])
               AND EXISTS (SELECT FROM compose_jobs job WHERE job.id = task.job_id AND job.status = 'running')))
           ORDER BY task.created_at, task.position LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING job_id, position, base_model_id, work)
       SELECT job_id, position, base.id AS base_id, base.digest AS base_digest, work
       FROM claimed JOIN base_models base ON base.id = claimed.base_model_id`,
      [owner, TASK_LEASE_MS, jobId ?? null, MOST_ATTEMPTS, withoutBases],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    return { jobId: row.job_id, position: row.position, base: { id: row.base_id, digest: row.base_digest }, work: row.work };
  }

  /** Prolongs the lease. @returns false when the task is not the owner's any more */
  async renew(task: EvaluationTask, owner: RowId): Promise<boolean> {
    return this.change(`lease_until = now() + $4 * interval '1 millisecond'`, task, owner, TASK_LEASE_MS);
  }

  /** leased → done. @returns false when the task is not the owner's any more */
  async finish(task: EvaluationTask, owner: RowId, losses: TaskLosses): Promise<boolean> {
    return this.change(`status = 'done', losses = $4, lease_owner = NULL, lease_until = NULL`, task, owner, encodeLosses(losses));
  }

  /** leased → wanted, for another process. */
  async release(task: EvaluationTask, owner: RowId): Promise<void> {
    await this.change(`status = 'wanted', lease_owner = NULL, lease_until = NULL`, task, owner);
  }

  /** The losses of a job's tasks in their order once all are done; undefined before. */
  async collect(jobId: RowId): Promise<TaskLosses[] | undefined> {
    const [row] = await this.dataSource.query<{ is_open: boolean }[]>(
      `SELECT EXISTS (SELECT FROM compose_tasks WHERE job_id = $1 AND status <> 'done') AS is_open`,
      [jobId],
    );
    if (row?.is_open !== false) return undefined;
    const rows = await this.dataSource.query<{ losses: EncodedLosses }[]>(
      'SELECT losses FROM compose_tasks WHERE job_id = $1 ORDER BY position',
      [jobId],
    );
    return rows.map(({ losses }) => decodeLosses(losses));
  }

  async clear(jobId: RowId): Promise<void> {
    await this.dataSource.query('DELETE FROM compose_tasks WHERE job_id = $1', [jobId]);
  }

  /** A process says that it does tasks, and forgets those that have not said so for long. */
  async announce(worker: RowId): Promise<void> {
    await this.dataSource.query('INSERT INTO compose_workers (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen_at = now()', [worker]);
    await this.dataSource.query(`DELETE FROM compose_workers WHERE seen_at < now() - interval '1 hour'`);
  }

  async leave(worker: RowId): Promise<void> {
    await this.dataSource.query('DELETE FROM compose_workers WHERE id = $1', [worker]);
  }

  /** Processes that do tasks, without this one. */
  async countOthers(worker: RowId): Promise<number> {
    const rows = await this.dataSource.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM compose_workers WHERE id <> $1 AND seen_at > now() - $2 * interval '1 millisecond'`,
      [worker, PRESENCE_MS],
    );
    return rows[0]?.count ?? 0;
  }

  private async change(set: string, { jobId, position }: EvaluationTask, owner: RowId, ...values: readonly unknown[]): Promise<boolean> {
    const rows: unknown[] = await this.dataSource.query(
      `WITH changed AS (
         UPDATE compose_tasks SET ${set} WHERE job_id = $1 AND position = $2 AND status = 'leased' AND lease_owner = $3 RETURNING 1)
       SELECT 1 FROM changed`,
      [jobId, position, owner, ...values],
    );
    return rows.length > 0;
  }
}

/** JSON has no Infinity: null stands for what is not finite. */
type EncodedLosses = readonly (readonly (readonly [nll: number | null, tokens: number, isExact: boolean])[])[];

function encodeLosses(losses: TaskLosses): string {
  const encoded: EncodedLosses = losses.map((row) =>
    row.map(({ nll, tokens, isExact }) => [Number.isFinite(nll) ? nll : null, tokens, isExact]),
  );
  return JSON.stringify(encoded);
}

function decodeLosses(losses: EncodedLosses): TaskLosses {
  return losses.map((row) => row.map(([nll, tokens, isExact]): ExampleLoss => ({ nll: nll ?? Infinity, tokens, isExact })));
}
