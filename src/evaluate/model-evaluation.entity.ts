// A model measured on examples: long work that ends in figures.
import { Column, Entity } from 'typeorm';
import type { Digest, RowId } from '#src/ids/ids.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import { Work } from '#src/work/work.entity.js';
import type { MeasureSettings } from './measure-examples.js';
import type { EvaluationResult } from './summarize-outcomes.js';

@Entity({ name: 'model_evaluations' })
export class ModelEvaluation extends Work {
  /** Set for an adapter. */
  @Column({ name: 'adapter_version_id', type: 'uuid', nullable: true })
  adapterVersionId: RowId | null;

  /** Set for a composition. */
  @Column({ name: 'composition_version_id', type: 'uuid', nullable: true })
  compositionVersionId: RowId | null;

  /** The version's id, or the base model's; made by the database. */
  @Column({ name: 'subject_id', type: 'uuid', insert: false, update: false })
  subjectId: RowId;

  /** What was evaluated, as `ns/name@version`, or the base model's name. */
  @Column({ type: 'text' })
  model: string;

  /** Of the evaluation, such as the examples' file. */
  @Column({ type: 'text' })
  name: string;

  /** Of name, examples and settings: the same request for the same model is the same row. */
  @Column({ name: 'request_digest', type: 'text' })
  requestDigest: Digest;

  @Column({ name: 'examples_digest', type: 'text' })
  examplesDigest: Digest;

  /** The mixture is the version's own, taken when the evaluation was asked for. */
  @Column({ type: 'json' })
  settings: MeasureSettings;

  /** Read by `getExamples` alone; null once succeeded, when the digest still names them. */
  @Column({ type: 'json', nullable: true, select: false })
  examples?: readonly PlacedExample[] | null;

  /** Number of examples. */
  @Column({ type: 'integer' })
  total: number;

  /** How many of them are done. */
  @Column({ type: 'integer' })
  evaluated: number;

  @Column({ type: 'jsonb', nullable: true })
  result: EvaluationResult | null;
}
