// The rows of evaluations and of their examples.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { createRowId, type Digest, type RowId } from '#src/ids/ids.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import { WorkStore } from '#src/work/work-store.js';
import { failEvaluate } from './evaluate.errors.js';
import type { EvaluationProgress } from './evaluate.views.js';
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

const MOST_WAITING = 100;
const MOST_LISTED = 100;

@Injectable()
export class EvaluationStore extends WorkStore<ModelEvaluation, EvaluationResult> {
  constructor(dataSource: DataSource) {
    super(dataSource, {
      entity: ModelEvaluation,
      name: 'model_evaluations',
      // The digest still names the examples.
      resultColumns: (result) => ({ result: JSON.stringify(result), examples: null }),
      unknown: (id) => failEvaluate('UNKNOWN_EVALUATION', { id }),
      abandoned: (attempts) => failEvaluate('EVALUATION_ABANDONED', { attempts }),
    });
  }

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

  /** None once it has succeeded. */
  async getExamples(id: RowId): Promise<readonly PlacedExample[]> {
    const { examples } = await this.dataSource.manager.findOneOrFail(ModelEvaluation, {
      select: { id: true, examples: true },
      where: { id },
    });
    return examples ?? [];
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
}
