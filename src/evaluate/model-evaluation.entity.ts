// A model measured on examples: queued → running → succeeded | failed | cancelled. evaluation.store.ts is the only writer.
import { Column, CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { Digest, RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import type { EvaluationFailure, EvaluationStatus } from './evaluate.views.js';
import type { MeasureSettings } from './measure-examples.js';
import type { EvaluationResult } from './summarize-outcomes.js';

@Entity({ name: 'model_evaluations' })
export class ModelEvaluation {
  @PrimaryColumn({ type: 'uuid' })
  id: RowId;

  @Column({ name: 'base_model_id', type: 'uuid' })
  baseModelId: RowId;

  @ManyToOne(() => BaseModel)
  @JoinColumn({ name: 'base_model_id' })
  baseModel: BaseModel;

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

  /** Read by `claim` alone; null once succeeded, when the digest still names them. */
  @Column({ type: 'json', nullable: true, select: false })
  examples?: readonly PlacedExample[] | null;

  @Column({ type: 'text' })
  status: EvaluationStatus;

  /** Number of examples. */
  @Column({ type: 'integer' })
  total: number;

  /** How many of them are done. */
  @Column({ type: 'integer' })
  evaluated: number;

  @Column({ type: 'jsonb', nullable: true })
  result: EvaluationResult | null;

  @Column({ type: 'jsonb', nullable: true })
  error: EvaluationFailure | null;

  /** Starts since the last example was done. */
  @Column({ type: 'integer' })
  attempts: number;

  @Column({ name: 'cancel_requested', type: 'boolean' })
  cancelRequested: boolean;

  /** The process that runs it; its lease must be renewed before `leaseUntil`. */
  @Column({ name: 'lease_owner', type: 'uuid', nullable: true })
  leaseOwner: RowId | null;

  @Column({ name: 'lease_until', type: 'timestamptz', nullable: true })
  leaseUntil: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @Column({ name: 'started_at', type: 'timestamptz', nullable: true })
  startedAt: Date | null;

  @Column({ name: 'finished_at', type: 'timestamptz', nullable: true })
  finishedAt: Date | null;
}
