// The rows of known evaluations. A row is written once and never changed; two processes that compute the same agree on the first.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RowId } from '#src/ids/ids.js';
import type { ExampleLoss } from '../evaluate.js';

/** What a row holds of an evaluation; the number of tokens is the example's own. */
export type KnownLoss = Pick<ExampleLoss, 'nll' | 'isExact'>;

// A statement's parameters are held in memory on both sides.
const MOST_KEYS_PER_STATEMENT = 4_096;
// A long DELETE would hold up the embedded database, which has one session.
const MOST_ROWS_PER_CLEANING = 10_000;

@Injectable()
export class EvaluationStore {
  constructor(private readonly dataSource: DataSource) {}

  /** The known ones among the keys (64 hex digits each). */
  async find(keys: readonly string[]): Promise<Map<string, KnownLoss>> {
    const found = new Map<string, KnownLoss>();
    for (let i = 0; i < keys.length; i += MOST_KEYS_PER_STATEMENT) {
      const rows: { key: string; nll: number; is_exact: boolean }[] = await this.dataSource.query(
        `SELECT encode(key, 'hex') AS key, nll, is_exact FROM compose_evaluations
         WHERE key IN (SELECT decode(wanted, 'hex') FROM unnest($1::text[]) wanted)`,
        [keys.slice(i, i + MOST_KEYS_PER_STATEMENT)],
      );
      for (const { key, nll, is_exact } of rows) found.set(key, { nll, isExact: is_exact });
    }
    return found;
  }

  /** Writes evaluations; a key that is there already stays as it is. @returns whether every one of them was new */
  async add(baseModelId: RowId, losses: ReadonlyMap<string, KnownLoss>): Promise<boolean> {
    const entries = [...losses];
    let added = 0;
    for (let i = 0; i < entries.length; i += MOST_KEYS_PER_STATEMENT) {
      const part = entries.slice(i, i + MOST_KEYS_PER_STATEMENT);
      const rows: { count: number }[] = await this.dataSource.query(
        `WITH added AS (
           INSERT INTO compose_evaluations (key, base_model_id, nll, is_exact)
           SELECT decode(key, 'hex'), $1, nll, is_exact FROM unnest($2::text[], $3::float8[], $4::boolean[]) AS row (key, nll, is_exact)
           ON CONFLICT (key) DO NOTHING RETURNING 1)
         SELECT count(*)::int AS count FROM added`,
        [baseModelId, part.map(([key]) => key), part.map(([, { nll }]) => nll), part.map(([, { isExact }]) => isExact)],
      );
      added += rows[0]?.count ?? 0;
    }
    return added === entries.length;
  }

  /** Forgets evaluations older than so many days. @returns how many */
  async removeOld(days: number): Promise<number> {
    for (let removed = 0; ;) {
      const rows: { count: number }[] = await this.dataSource.query(
        `WITH removed AS (
           DELETE FROM compose_evaluations WHERE key IN (
             SELECT key FROM compose_evaluations WHERE created_at < now() - $1 * interval '1 day' LIMIT $2) RETURNING 1)
         SELECT count(*)::int AS count FROM removed`,
        [days, MOST_ROWS_PER_CLEANING],
      );
      const count = rows[0]?.count ?? 0;
      removed += count;
      if (count < MOST_ROWS_PER_CLEANING) return removed;
    }
  }
}
