// A composition job: queued → running → succeeded | failed | cancelled. compose-job.store.ts is the only writer.
import { Column, CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { Digest, RepoName, RowId, Version } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import type { JobFailure, JobProgress, JobStatus } from '../compose.views.js';
import type { Candidate } from '../report.js';
import type { RetrieveReport } from '../stages/retrieve.js';

/** What was asked for, checked: candidates are resolved to versions, so that a job that is run again does the same. */
export interface JobRequest {
  readonly candidates: readonly Candidate[];
  readonly examples: readonly PlacedExample[];
  readonly examplesDigest: Digest;
  readonly budget: number;
  readonly seed: number;
  /** As `parseStrategy` reads it. */
  readonly strategy: string;
  /** @default 'delta' */
  readonly space?: Space;
  /** Weights to try first, in the candidates' order. */
  readonly warmStart?: readonly number[];
  /** How the candidates were found, where they were not named. */
  readonly retrieval?: RetrieveReport;
}

@Entity({ name: 'compose_jobs' })
export class ComposeJob {
  @PrimaryColumn({ type: 'uuid' })
  id: RowId;

  /** Of the composition to be. */
  @Column({ type: 'text' })
  name: RepoName;

  /** The version asked for; null: the next one. */
  @Column({ type: 'text', nullable: true })
  version: Version | null;

  @Column({ name: 'base_model_id', type: 'uuid' })
  baseModelId: RowId;

  @ManyToOne(() => BaseModel)
  @JoinColumn({ name: 'base_model_id' })
  baseModel: BaseModel;

  @Column({ type: 'text' })
  status: JobStatus;

  /** −1 low, 0 normal, 1 high; among equals the namespaces of the names take turns. */
  @Column({ type: 'smallint' })
  priority: number;

  @Column({ type: 'json' })
  request: JobRequest;

  @Column({ type: 'jsonb' })
  progress: JobProgress;

  /** The version that came out of it. */
  @Column({ name: 'composition_version', type: 'text', nullable: true })
  compositionVersion: Version | null;

  @Column({ type: 'jsonb', nullable: true })
  error: JobFailure | null;

  /** How often it was started since it last measured something new. */
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
