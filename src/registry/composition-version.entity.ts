// An immutable version of a composition: weighted adapter versions of one base model, with the recipe that found it.
import { Column, Entity } from 'typeorm';
import { type Digest, type RepoName, type Version } from '../ids/ids.js';
import { RepositoryVersion } from './repository-version.js';

/** What weights act on: `delta` is Σ wᵢ·sᵢ·BᵢAᵢ, `factor` is LoraHub's (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ), for adapters of one shape. */
export const SPACES = ['delta', 'factor'] as const;
export type Space = (typeof SPACES)[number];

/** One adapter of a composition and its weight. */
export interface CompositionPart {
  readonly adapter: RepoName;
  readonly version: Version;
  readonly digest: Digest;
  readonly weight: number;
}

@Entity({ name: 'composition_versions' })
export class CompositionVersion extends RepositoryVersion {
  /** Of space, parts and recipe. */
  @Column({ type: 'text' })
  digest: Digest;

  @Column({ type: 'text' })
  space: Space;

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
}
