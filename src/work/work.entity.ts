// What the rows of all long work have in common; each kind has a table and an entity of its own, and its WorkStore is the only writer.
import { Column, CreateDateColumn, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { hasEnded, type WorkFailure, type WorkStatus } from './work-status.js';

export abstract class Work {
  @PrimaryColumn({ type: 'uuid' })
  id: RowId;

  /** It runs one work of a kind at a time. */
  @Column({ name: 'base_model_id', type: 'uuid' })
  baseModelId: RowId;

  @ManyToOne(() => BaseModel)
  @JoinColumn({ name: 'base_model_id' })
  baseModel: BaseModel;

  @Column({ type: 'text' })
  status: WorkStatus;

  @Column({ type: 'jsonb', nullable: true })
  error: WorkFailure | null;

  /** How often it was started since it last got further. */
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

  /** Someone asked for its end, and it has not come yet. */
  get isCancelling(): boolean {
    return this.cancelRequested && !hasEnded(this.status);
  }
}
