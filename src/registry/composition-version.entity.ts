// An immutable version of a composition: Σ wᵢ·ΔWᵢ over adapter versions of one base model, with the recipe that found it.
import { Column, CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { type Digest, type RepoName, type RowId, type Version } from '../ids/ids.js';
import { Repository } from './repository.entity.js';

/** One term of a composition. */
export interface CompositionPart {
  readonly adapter: RepoName;
  readonly version: Version;
  readonly digest: Digest;
  readonly weight: number;
}

@Entity({ name: 'composition_versions' })
export class CompositionVersion {
  @PrimaryColumn({ type: 'uuid' })
  id: RowId;

  @Column({ name: 'repository_id', type: 'uuid' })
  repositoryId: RowId;

  @ManyToOne(() => Repository)
  @JoinColumn({ name: 'repository_id' })
  repository: Repository;

  @Column({ type: 'text' })
  version: Version;

  /** Orders versions as text does; see version-key.ts. */
  @Column({ name: 'version_key', type: 'text' })
  versionKey: string;

  /** True for one version of each repository: the one that the bare name means. */
  @Column({ name: 'is_latest', type: 'boolean' })
  isLatest: boolean;

  /** Of space, parts and recipe. */
  @Column({ type: 'text' })
  digest: Digest;

  @Column({ type: 'text' })
  space: 'delta';

  @Column({ type: 'jsonb' })
  parts: CompositionPart[];

  /** How the weights were found: seed, examples' digest, optimizer … */
  @Column({ type: 'jsonb' })
  recipe: Record<string, unknown>;

  /** What was measured: losses of base, singles, uniform, result; the curve. */
  @Column({ type: 'jsonb' })
  report: Record<string, unknown>;

  @Column({ type: 'text' })
  description: string;

  @Column({ type: 'text', array: true })
  tags: string[];

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
