// An immutable, checked and stored version of an adapter.
import { Column, Entity } from 'typeorm';
import { safeInteger } from '../database/columns.js';
import { type Digest } from '../ids/ids.js';
import { RepositoryVersion } from './repository-version.js';

/** A stored file of a version. */
export interface VersionFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: Digest;
}

@Entity({ name: 'adapter_versions' })
export class AdapterVersion extends RepositoryVersion {
  /** Of what the version does: equal digests compute the same. */
  @Column({ type: 'text' })
  digest: Digest;

  @Column({ name: 'peft_type', type: 'text' })
  peftType: string;

  /** The largest rank of its modules. */
  @Column({ type: 'integer' })
  rank: number;

  @Column({ type: 'double precision' })
  alpha: number;

  /** s = alpha/√r instead of alpha/r. */
  @Column({ name: 'use_rslora', type: 'boolean' })
  useRslora: boolean;

  /** PEFT class names, e.g. `q_proj`, sorted. */
  @Column({ name: 'target_modules', type: 'text', array: true })
  targetModules: string[];

  @Column({ name: 'parameter_count', type: 'bigint', transformer: safeInteger })
  parameterCount: number;

  @Column({ name: 'size_bytes', type: 'bigint', transformer: safeInteger })
  sizeBytes: number;

  @Column({ type: 'text' })
  description: string;

  /** README.md. */
  @Column({ type: 'text' })
  card: string;

  @Column({ type: 'text', array: true })
  tags: string[];

  /** adapter_config.json as it is. */
  @Column({ name: 'adapter_config', type: 'jsonb' })
  adapterConfig: Record<string, unknown>;

  @Column({ name: 'examples_digest', type: 'text', nullable: true })
  examplesDigest: Digest | null;

  @Column({ type: 'jsonb' })
  files: VersionFile[];

  /** What the check on the engine measured. */
  @Column({ type: 'jsonb' })
  verification: Record<string, unknown>;
}
