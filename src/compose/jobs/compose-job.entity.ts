// A composition job: long work that ends in a version of a composition.
import { Column, Entity } from 'typeorm';
import type { Digest, RepoName, Version } from '#src/ids/ids.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { Precision } from '#src/runtime/engine.js';
import type { PlacedExample } from '#src/tokenizer/examples.js';
import { Work } from '#src/work/work.entity.js';
import type { JobProgress } from '../compose.views.js';
import type { ObjectiveName } from '../objectives/objectives.js';
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
  /** What the search goes by. @default 'float32' */
  readonly precision?: Precision;
  /** What is minimised. @default 'likelihood' */
  readonly objective?: ObjectiveName;
  /** Of the objective `choice`, without blanks around them. */
  readonly choices?: readonly string[];
  /** Of the objective `reward`: the URL of the service. */
  readonly reward?: string;
  /** α of loss + α·mean|w|. @default 0.05 */
  readonly regularisation?: number;
  /** Weights lie in [−bound, bound]. @default 1.5 */
  readonly bound?: number;
  /** How many of the examples stand in front of each one, and of every request to the composition; absent for none. */
  readonly shots?: number;
  /** Weights to try first, in the candidates' order. */
  readonly warmStart?: readonly number[];
  /** How the candidates were found, where they were not named. */
  readonly retrieval?: RetrieveReport;
}

@Entity({ name: 'compose_jobs' })
export class ComposeJob extends Work {
  /** Of the composition to be. */
  @Column({ type: 'text' })
  name: RepoName;

  /** The version asked for; null: the next one. */
  @Column({ type: 'text', nullable: true })
  version: Version | null;

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
}
