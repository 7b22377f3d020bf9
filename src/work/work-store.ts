// Long work as rows that processes lease. Every transition is one compare-and-set statement, safe to repeat and from any process;
// times are the database's.
import { type DataSource, type FindOptionsRelations, type FindOptionsWhere, QueryFailedError } from 'typeorm';
import type { BraidError } from '#src/http/braid-error.js';
import type { RowId } from '#src/ids/ids.js';
import type { Work } from './work.entity.js';
import { failureOf, type WorkFailure, type WorkStatus } from './work-status.js';

/** A kind of work: its table, the order of its queue, how its results are written and its failures said. */
export interface WorkTable<Row extends Work, Result> {
  readonly entity: new () => Row;
  /** With the columns of Work, and a unique index `<name>_one_running` on the base models of rows that run. */
  readonly name: string;
  /** SQL over rows `waiting`: which is started first. @default the oldest */
  readonly order?: string;
  /** Pause after a failure that passes, times the starts so far; kept in a column `run_after`. Without it such a failure is an end. */
  readonly retryDelayMs?: number;
  /** Columns of a row that succeeded. */
  readonly resultColumns: (result: Result) => Readonly<Record<string, string | null>>;
  readonly unknown: (id: RowId) => BraidError;
  /** After so many starts whose process died. */
  readonly abandoned: (attempts: number) => BraidError;
}

export type WorkEnding<Result> =
  | { readonly status: 'succeeded'; readonly result: Result }
  | { readonly status: 'failed'; readonly error: WorkFailure }
  | { readonly status: 'cancelled' };

/** A process that runs work says so this often; without word for LEASE_MS it counts as dead. */
export const RENEWAL_MS = 4_000;
export const LEASE_MS = 15_000;
/** Starts of work whose process died on it, or that failed in passing, and that got no further, before it is given up. */
export const MOST_ATTEMPTS = 3;

const IS_OWNERS = `id = $1 AND status = 'running' AND lease_owner = $2`;
const LEASE_IS_OVER = 'lease_owner = NULL, lease_until = NULL';

export abstract class WorkStore<Row extends Work, Result> {
  constructor(
    protected readonly dataSource: DataSource,
    private readonly table: WorkTable<Row, Result>,
  ) {}

  /** With its base model. @throws BraidError what the kind says of an unknown id */
  async get(id: RowId): Promise<Row> {
    // Every Work has these; the compiler cannot know it of a Row that is not chosen yet.
    const where = { id } as FindOptionsWhere<Row>;
    const relations = { baseModel: true } as FindOptionsRelations<Row>;
    const found = await this.dataSource.manager.findOne(this.table.entity, { where, relations });
    if (found === null) throw this.table.unknown(id);
    return found;
  }

  /** How many rows have each status; those that none has are left out. */
  async countByStatus(): Promise<ReadonlyMap<WorkStatus, number>> {
    const rows = await this.dataSource.query<{ status: WorkStatus; count: number }[]>(
      `SELECT status, count(*)::int AS count FROM ${this.table.name} GROUP BY status`,
    );
    return new Map(rows.map(({ status, count }) => [status, count]));
  }

  /** queued → running: the first in the order of its kind among those whose base model runs none. Undefined when there is none. */
  async claim(owner: RowId): Promise<Row | undefined> {
    const { name, order, retryDelayMs } = this.table;
    try {
      const [claimed] = await this.change(
        `status = 'running', lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond', attempts = attempts + 1,
         started_at = coalesce(started_at, now())`,
        `status = 'queued' AND id = (
           SELECT waiting.id FROM ${name} waiting
           WHERE waiting.status = 'queued' ${retryDelayMs === undefined ? '' : 'AND waiting.run_after <= now()'}
             AND NOT EXISTS (SELECT FROM ${name} other WHERE other.status = 'running' AND other.base_model_id = waiting.base_model_id)
           ORDER BY ${order === undefined ? '' : `${order},`} waiting.created_at, waiting.id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
        [owner, LEASE_MS],
      );
      return claimed === undefined ? undefined : await this.get(claimed);
    } catch (error) {
      // Another process started one on this base model in the same moment.
      if (error instanceof QueryFailedError && String(error.driverError).includes(`${name}_one_running`)) return undefined;
      throw error;
    }
  }

  /** Prolongs the lease. @returns whether the work is still the owner's, and whether someone wants it cancelled */
  async renew(id: RowId, owner: RowId): Promise<{ readonly held: boolean; readonly cancelRequested: boolean }> {
    const rows: { cancel_requested: boolean }[] = await this.dataSource.query(
      `WITH renewed AS (
         UPDATE ${this.table.name} SET lease_until = now() + $3 * interval '1 millisecond' WHERE ${IS_OWNERS} RETURNING cancel_requested)
       SELECT cancel_requested FROM renewed`,
      [id, owner, LEASE_MS],
    );
    return { held: rows.length > 0, cancelRequested: rows[0]?.cancel_requested ?? false };
  }

  /** running → its end. @returns false when the work is not the owner's any more */
  async finish(id: RowId, owner: RowId, ending: WorkEnding<Result>): Promise<boolean> {
    const columns = Object.entries({
      status: ending.status,
      error: ending.status === 'failed' ? JSON.stringify(ending.error) : null,
      ...(ending.status === 'succeeded' && this.table.resultColumns(ending.result)),
    });
    const set = columns.map(([column], i) => `${column} = $${i + 3}`).join(', ');
    const values = columns.map(([, value]) => value);
    return this.changeOwn(id, owner, `${set}, ${LEASE_IS_OVER}, finished_at = now()`, values);
  }

  /** running → queued, when a process stops in good order: the attempt does not count. */
  async release(id: RowId, owner: RowId): Promise<void> {
    await this.changeOwn(id, owner, `status = 'queued', attempts = attempts - 1, ${LEASE_IS_OVER}`);
  }

  /** running → queued after a failure that passes, to be run again a while later. @returns false when it was tried often enough */
  async retry(id: RowId, owner: RowId): Promise<boolean> {
    const { retryDelayMs } = this.table;
    if (retryDelayMs === undefined) return false;
    const queued = await this.change(
      `status = 'queued', ${LEASE_IS_OVER}, run_after = now() + attempts * $4 * interval '1 millisecond'`,
      `${IS_OWNERS} AND attempts < $3 AND NOT cancel_requested`,
      [id, owner, MOST_ATTEMPTS, retryDelayMs],
    );
    return queued.length > 0;
  }

  /**
   * queued → cancelled; running work is marked for its process to see.
   * @returns false when it has ended already
   */
  async cancel(id: RowId): Promise<boolean> {
    const cancelled = await this.change(
      `cancel_requested = true,
       status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
       finished_at = CASE WHEN status = 'queued' THEN now() ELSE finished_at END`,
      `id = $1 AND status IN ('queued', 'running')`,
      [id],
    );
    return cancelled.length > 0;
  }

  /** Work whose process gave no word: queued again, cancelled where that was asked for, or failed after MOST_ATTEMPTS starts. */
  async recoverAbandoned(): Promise<void> {
    await this.change(
      `status = CASE WHEN cancel_requested THEN 'cancelled' WHEN attempts >= $1 THEN 'failed' ELSE 'queued' END,
       error = CASE WHEN NOT cancel_requested AND attempts >= $1 THEN $2::jsonb END,
       finished_at = CASE WHEN cancel_requested OR attempts >= $1 THEN now() END, ${LEASE_IS_OVER}`,
      `status = 'running' AND lease_until < now()`,
      [MOST_ATTEMPTS, JSON.stringify(failureOf(this.table.abandoned(MOST_ATTEMPTS)))],
    );
  }

  /** @param set may use `$3` and following for `values`. @returns false, and nothing is changed, when the work is not the owner's any more */
  protected async changeOwn(id: RowId, owner: RowId, set: string, values: readonly unknown[] = []): Promise<boolean> {
    return (await this.change(set, IS_OWNERS, [id, owner, ...values])).length > 0;
  }

  /** Ids of the rows that changed; as a SELECT, because drivers answer an UPDATE in different shapes. */
  private async change(set: string, where: string, values: readonly unknown[]): Promise<RowId[]> {
    const rows: { id: RowId }[] = await this.dataSource.query(
      `WITH changed AS (UPDATE ${this.table.name} SET ${set} WHERE ${where} RETURNING id) SELECT id FROM changed`,
      [...values],
    );
    return rows.map(({ id }) => id);
  }
}
