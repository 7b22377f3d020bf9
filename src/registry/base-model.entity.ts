// A base model: a model directory on the hub's machine, known by the digest of its weights.
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { safeInteger } from '../database/columns.js';
import { type Digest, type RepoName, type RowId } from '../ids/ids.js';

@Entity({ name: 'base_models' })
export class BaseModel {
  @PrimaryColumn({ type: 'uuid' })
  id: RowId;

  @Column({ type: 'text' })
  name: RepoName;

  /** Of the weights. */
  @Column({ type: 'text' })
  digest: Digest;

  /** Absolute path on the hub's machine. */
  @Column({ type: 'text' })
  directory: string;

  /** As config.json names it, e.g. `LlamaForCausalLM`. */
  @Column({ type: 'text' })
  architecture: string;

  /** config.json as it is. */
  @Column({ type: 'jsonb' })
  config: Record<string, unknown>;

  @Column({ name: 'parameter_count', type: 'bigint', transformer: safeInteger })
  parameterCount: number;

  @Column({ name: 'weight_bytes', type: 'bigint', transformer: safeInteger })
  weightBytes: number;

  /** Tokens of prompt and answer together. */
  @Column({ name: 'context_length', type: 'integer' })
  contextLength: number;

  @Column({ name: 'vocabulary_size', type: 'integer' })
  vocabularySize: number;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
