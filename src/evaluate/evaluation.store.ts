// The rows of evaluations and of their examples. Every transition is one compare-and-set statement, safe to repeat and from any process;
// times are the database's.
import { Injectable } from '@nestjs/common';
import { DataSource, QueryFailedError, type SelectQueryBuilder } from 'typeorm';
import { createRowId, type Digest, type RowId } from '#src/ids/ids.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import { failEvaluate } from './evaluate.errors.js';
import type { EvaluationFailure, EvaluationProgress } from './evaluate.views.js';
import type { ExampleOutcome, MeasureSettings } from './measure-examples.js';
import { ModelEvaluation } from './model-evaluation.entity.js';
import type { EvaluationResult } from './summarize-outcomes.js';

/** What is evaluated, and on what. */
export interface NewEvaluation {
  readonly baseModelId: RowId;
  readonly adapterVersionId: RowId | null;
  readonly compositionVersionId: RowId | null;
  readonly model: string;
  readonly name: string;
  readonly requestDigest: Digest;
  readonly examplesDigest: Digest;
  readonly settings: MeasureSettings;
  readonly examples: readonly PlacedExample[];
}

export type EvaluationEnding =
  | { readonly status: 'succeeded'; readonly result: EvaluationResult }
  | { readonly status: 'failed'; readonly error: EvaluationFailure }
  | { readonly status: 'cancelled' };

/** A process that runs an evaluation says so this often; without word for LEASE_MS it counts as dead. */
export const RENEWAL_MS = 4_000;
const LEASE_MS = 15_000;
/** Starts without an example done between, before an evaluation is given up. */
const MOST_ATTEMPTS = 3;
const MOST_WAITING = 100;
const MOST_LISTED = 100;

const ONE_RUNNING = 'model_evaluations_one_running';

@Injectable()
export class EvaluationStore {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Queues an evaluation. The same request is the same row: one that is there is left alone, one that failed or was cancelled goes on
   * with the examples that are left.
   * @throws BraidError TOO_MANY_EVALUATIONS
   */
  async create(wanted: NewEvaluation): Promise<RowId> {
    const waiting = await this.dataSource.manager.countBy(ModelEvaluation, { status: 'queued' });
    if (waiting >= MOST_WAITING) throw failEvaluate('TOO_MANY_EVALUATIONS', { waiting });
    await this.dataSource.query(
      `INSERT INTO model_evaluations (id, base_model_id, adapter_version_id, composition_version_id, model, name, request_digest,
         examples_digest, settings, examples, total, status)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'queued')
       ON CONFLICT ON CONSTRAINT model_evaluations_request_unique DO UPDATE
         SET status = 'queued', cancel_requested = false, error = NULL, attempts = 0, finished_at = NULL
         WHERE model_evaluations.status IN ('failed', 'cancelled')`,
      [
        createRowId(),
        wanted.baseModelId,
        wanted.adapterVersionId,
        wanted.compositionVersionId,
        wanted.model,
        wanted.name,
        wanted.requestDigest,
        wanted.examplesDigest,
        JSON.stringify(wanted.settings),
        JSON.stringify(wanted.examples),
        wanted.examples.length,
      ],
    );
    const subjectId = wanted.adapterVersionId ?? wanted.compositionVersionId ?? wanted.baseModelId;
    const { id } = await this.dataSource.manager.findOneOrFail(ModelEvaluation, {
      select: { id: true },
      where: { subjectId, requestDigest: wanted.requestDigest },
    });
    return id;
  }

  /** With its base model. @throws BraidError UNKNOWN_EVALUATION */
  async get(id: RowId): Promise<ModelEvaluation> {
    const found = await this.find(id).getOne();
    if (found === null) throw failEvaluate('UNKNOWN_EVALUATION', { id });
    return found;
  }

  /** How far it is, without what takes long to read. @throws BraidError UNKNOWN_EVALUATION */
  async getProgress(id: RowId): Promise<EvaluationProgress> {
    const [found] = await this.dataSource.query<EvaluationProgress[]>(
      'SELECT status, evaluated, total FROM model_evaluations WHERE id = $1',
      [id],
    );
    if (found === undefined) throw failEvaluate('UNKNOWN_EVALUATION', { id });
    return found;
  }

  /** The newest evaluation of each name that succeeded, by name, with base models. @param subjectId of a version or a base model */
  listSucceeded(subjectId: RowId): Promise<ModelEvaluation[]> {
    return this.dataSource.manager
      .createQueryBuilder(ModelEvaluation, 'evaluation')
      .innerJoinAndSelect('evaluation.baseModel', 'baseModel')
      .where(
        `evaluation.id IN (SELECT DISTINCT ON (name) id FROM model_evaluations
           WHERE subject_id = :subjectId AND status = 'succeeded' ORDER BY name, finished_at DESC, id)`,
        { subjectId },
      )
      .orderBy('evaluation.name COLLATE "C"', 'ASC')
      .limit(MOST_LISTED)
      .getMany();
  }

  /** Outcomes of the examples that are done, by their index. */
  async listOutcomes(id: RowId): Promise<ReadonlyMap<number, ExampleOutcome>> {
    const rows = await this.dataSource.query<({ readonly place: number } & ExampleOutcome)[]>(
      `SELECT place, tokens, nll, answer, is_exact AS "isExact", choice, is_correct AS "isCorrect"
       FROM model_evaluation_examples WHERE evaluation_id = $1 ORDER BY place`,
      [id],
    );
    return new Map(rows.map(({ place, ...outcome }) => [place, outcome]));
  }

  /** queued → running: the oldest one whose base model runs none, with its examples. Undefined when there is none. */
  async claim(owner: RowId): Promise<(ModelEvaluation & { readonly examples: readonly PlacedExample[] }) | undefined> {
    try {
      const [claimed] = await this.update(
        `status = 'running', lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond', attempts = attempts + 1,
         started_at = coalesce(started_at, now())`,
        `status = 'queued' AND id = (
           SELECT waiting.id FROM model_evaluations waiting
           WHERE waiting.status = 'queued'
             AND NOT EXISTS (
               SELECT FROM model_evaluations other WHERE other.status = 'running' AND other.base_model_id = waiting.base_model_id)
           ORDER BY waiting.created_at, waiting.id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
        [owner, LEASE_MS],
      );
      if (claimed === undefined) return undefined;
      const evaluation = await this.find(claimed).addSelect('evaluation.examples').getOneOrFail();
      return Object.assign(evaluation, { examples: evaluation.examples ?? [] });
    } catch (error) {
      // Another process started one on this base model in the same moment.
      if (error instanceof QueryFailedError && String(error.driverError).includes(ONE_RUNNING)) return undefined;
      throw error;
    }
  }

  /** Prolongs the lease. @returns whether the evaluation is still the owner's, and whether someone wants it cancelled */
  async renew(id: RowId, owner: RowId): Promise<{ readonly held: boolean; readonly cancelRequested: boolean }> {
    const rows: { cancel_requested: boolean }[] = await this.dataSource.query(
      `WITH renewed AS (
         UPDATE model_evaluations SET lease_until = now() + $3 * interval '1 millisecond'
         WHERE id = $1 AND status = 'running' AND lease_owner = $2 RETURNING cancel_requested)
       SELECT cancel_requested FROM renewed`,
      [id, owner, LEASE_MS],
    );
    return { held: rows.length > 0, cancelRequested: rows[0]?.cancel_requested ?? false };
  }

  /**
   * Writes down what was measured of examples that had no outcome before.
   * @returns false, and nothing is written, when the evaluation is not the owner's any more
   */
  async saveOutcomes(id: RowId, owner: RowId, outcomes: ReadonlyMap<number, ExampleOutcome>): Promise<boolean> {
    const measured = [...outcomes.values()];
    // Columns as arrays: json_to_recordset would read the answers, and refuses the NUL that one may hold.
    const held: unknown[] = await this.dataSource.query(
      `WITH held AS (
         UPDATE model_evaluations SET evaluated = evaluated + cardinality($3::integer[]), attempts = 1
         WHERE id = $1 AND status = 'running' AND lease_owner = $2 RETURNING id),
       written AS (
         INSERT INTO model_evaluation_examples (evaluation_id, place, tokens, nll, answer, is_exact, choice, is_correct)
         SELECT held.id, place, tokens, nll, answer::json, is_exact, choice, is_correct
         FROM held, unnest($3::integer[], $4::integer[], $5::double precision[], $6::text[], $7::boolean[], $8::integer[], $9::boolean[])
           AS row (place, tokens, nll, answer, is_exact, choice, is_correct))
       SELECT id FROM held`,
      [
        id,
        owner,
        [...outcomes.keys()],
        measured.map(({ tokens }) => tokens),
        measured.map(({ nll }) => nll),
        measured.map(({ answer }) => JSON.stringify(answer)),
        measured.map(({ isExact }) => isExact),
        measured.map(({ choice }) => choice),
        measured.map(({ isCorrect }) => isCorrect),
      ],
    );
    return held.length > 0;
  }

  /** running → its end. @returns false when the evaluation is not the owner's any more */
  async finish(id: RowId, owner: RowId, ending: EvaluationEnding): Promise<boolean> {
    const result = ending.status === 'succeeded' ? JSON.stringify(ending.result) : null;
    const error = ending.status === 'failed' ? JSON.stringify(ending.error) : null;
    const ended = await this.update(
      `status = $3, result = $4, error = $5, examples = CASE WHEN $3 = 'succeeded' THEN NULL ELSE examples END,
       lease_owner = NULL, lease_until = NULL, finished_at = now()`,
      `id = $1 AND status = 'running' AND lease_owner = $2`,
      [id, owner, ending.status, result, error],
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
   * queued → cancelled; a running one is marked for its process to see.
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

  /** Evaluations whose process gave no word: queued again, cancelled where that was asked for, or failed after MOST_ATTEMPTS starts. */
  async recoverAbandoned(): Promise<void> {
    const { code, message, retryable } = failEvaluate('EVALUATION_ABANDONED', { attempts: MOST_ATTEMPTS });
    await this.update(
      `status = CASE WHEN cancel_requested THEN 'cancelled' WHEN attempts >= $1 THEN 'failed' ELSE 'queued' END,
       error = CASE WHEN NOT cancel_requested AND attempts >= $1 THEN $2::jsonb END,
       finished_at = CASE WHEN cancel_requested OR attempts >= $1 THEN now() END,
       lease_owner = NULL, lease_until = NULL`,
      `status = 'running' AND lease_until < now()`,
      [MOST_ATTEMPTS, JSON.stringify({ code, message, retryable } satisfies EvaluationFailure)],
    );
  }

  private find(id: RowId): SelectQueryBuilder<ModelEvaluation> {
    return this.dataSource.manager
      .createQueryBuilder(ModelEvaluation, 'evaluation')
      .innerJoinAndSelect('evaluation.baseModel', 'baseModel')
      .where('evaluation.id = :id', { id });
  }

  /** Ids of the rows that changed; as a SELECT, because drivers answer an UPDATE in different shapes. */
  private async update(set: string, where: string, parameters: readonly unknown[]): Promise<RowId[]> {
    const rows: { id: RowId }[] = await this.dataSource.query(
      `WITH changed AS (UPDATE model_evaluations SET ${set} WHERE ${where} RETURNING id) SELECT id FROM changed`,
      [...parameters],
    );
    return rows.map(({ id }) => id);
  }
}
