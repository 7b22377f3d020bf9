// A repository: the name under which the versions of one adapter or one composition are published, all for one base model.
import { Column, CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { type RepoName, type RowId } from '../ids/ids.js';
import { BaseModel } from './base-model.entity.js';

export type RepositoryKind = 'adapter' | 'composition';

@Entity({ name: 'repositories' })
export class Repository {
  @PrimaryColumn({ type: 'uuid' })
  id: RowId;

  @Column({ type: 'text' })
  namespace: string;

  /** The part after the slash. */
  @Column({ type: 'text' })
  name: string;

  /** `namespace/name`, made by the database. */
  @Column({ name: 'full_name', type: 'text', insert: false, update: false })
  fullName: RepoName;

  @Column({ type: 'text' })
  kind: RepositoryKind;

  @Column({ name: 'base_model_id', type: 'uuid' })
  baseModelId: RowId;

  @ManyToOne(() => BaseModel)
  @JoinColumn({ name: 'base_model_id' })
  baseModel: BaseModel;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
