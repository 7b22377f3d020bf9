// What an adapter version's task looks like to its base model: a unit vector, and by which rules it was computed from what.
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { type Digest, type RowId } from '../ids/ids.js';
import { float32Vector } from '../database/columns.js';

/** Of the publisher's examples, or of name, description, tags and card where there are none. */
export type SignatureSource = 'examples' | 'card';

@Entity({ name: 'adapter_signatures' })
export class AdapterSignature {
  @PrimaryColumn({ name: 'adapter_version_id', type: 'uuid' })
  adapterVersionId: RowId;

  @Column({ name: 'base_model_id', type: 'uuid' })
  baseModelId: RowId;

  /** Digest of the rules: vectors of different methods are not comparable. */
  @Column({ type: 'text' })
  method: Digest;

  @Column({ type: 'text' })
  source: SignatureSource;

  /** How many texts it is the mean of. */
  @Column({ type: 'integer' })
  texts: number;

  @Column({ type: 'integer' })
  dimensions: number;

  @Column({ type: 'bytea', transformer: float32Vector })
  vector: Float32Array;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
