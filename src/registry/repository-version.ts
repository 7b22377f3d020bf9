// What every immutable version has, of an adapter or of a composition: its repository, its place in the order of versions, its age.
import { Column, CreateDateColumn, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { type RowId, type Version } from '../ids/ids.js';
import { Repository } from './repository.entity.js';

export abstract class RepositoryVersion {
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

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
