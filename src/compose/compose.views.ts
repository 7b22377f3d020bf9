// What the routes of compose answer.
import { ApiProperty } from '@nestjs/swagger';
import { type CompositionPrompt, type Space, SPACES } from '#src/registry/composition-version.entity.js';
import { type Precision, PRECISIONS } from '#src/runtime/engine.js';
import { WORK_STATUSES, type WorkFailure, type WorkStatus } from '#src/work/work-status.js';
import { OBJECTIVE_NAMES, type ObjectiveName } from './objectives/objectives.js';
import type { CompositionPart, CompositionReport, Recipe } from './report.js';

/** By what `priority` a job waits, as the queue orders it. */
export const PRIORITIES = { low: -1, normal: 0, high: 1 } as const;
export type PriorityName = keyof typeof PRIORITIES;
export const PRIORITY_NAMES = ['low', 'normal', 'high'] as const satisfies readonly PriorityName[];

/** What `progress` events carry, and what a job that runs shows. */
export interface JobProgress {
  /** `queued`, `starting`, then the stages of the search: `screen`, `search`, `prune`, `baselines`, `recheck`, `validate`. */
  readonly stage: string;
  /** Evaluations spent so far; a fraction where weight vectors were scored on a part of the examples. */
  readonly evaluations: number;
  readonly budget: number;
  /** null until a point could be evaluated. */
  readonly bestObjective: number | null;
  readonly bestLoss: number | null;
  /** Since the job was started; 0 while it waits. */
  readonly elapsedMs: number;
}

/** A composition version. */
export class CompositionView {
  @ApiProperty({ example: 'me/first-capitalized' })
  readonly name: string;
  @ApiProperty({ example: '1.0.0' })
  readonly version: string;
  @ApiProperty({ description: 'Name of the base model.' })
  readonly baseModel: string;
  @ApiProperty({ enum: SPACES, description: 'delta: W₀ + Σ wᵢ·sᵢ·BᵢAᵢ; factor: W₀ + (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ)' })
  readonly space: Space;
  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    description: '{adapter, version, digest, weight} of every adapter with a weight; empty when the base alone is best.',
  })
  readonly parts: readonly CompositionPart[];
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description:
      '{examples, tokens}: what goes in front of every request, which is so many tokens longer; null for a composition that was not composed with shots.',
  })
  readonly prompt: CompositionPrompt | null;
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly recipe: Recipe;
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly report: CompositionReport;
  @ApiProperty({ format: 'date-time' })
  readonly createdAt: string;
}

/** A composition job in a list. */
export class ListedJobView {
  @ApiProperty({ format: 'uuid' })
  readonly id: string;
  @ApiProperty({ description: 'Name of the composition to be.' })
  readonly name: string;
  @ApiProperty({ type: String, nullable: true, description: 'The version asked for; null: the next one.' })
  readonly version: string | null;
  @ApiProperty({ description: 'Name of the base model.' })
  readonly base: string;
  @ApiProperty({ enum: WORK_STATUSES })
  readonly status: WorkStatus;
  @ApiProperty({ description: 'Someone asked for its end; a running search ends with its present batch.' })
  readonly isCancelling: boolean;
  @ApiProperty({ enum: PRIORITY_NAMES })
  readonly priority: PriorityName;
  @ApiProperty({
    type: 'integer',
    description: 'Starts since it last measured something new; after a crash or a failure that passes it is started again.',
  })
  readonly attempts: number;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: '{stage, evaluations, budget, bestObjective, bestLoss, elapsedMs}',
  })
  readonly progress: JobProgress;
  @ApiProperty({ type: String, nullable: true, description: 'The version that came out of it.' })
  readonly compositionVersion: string | null;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description: '{code, message, retryable} when the job failed.',
  })
  readonly error: WorkFailure | null;
  @ApiProperty({ format: 'date-time' })
  readonly createdAt: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly startedAt: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly finishedAt: string | null;
}

/** A page of jobs, newest first. */
export class JobListView {
  @ApiProperty({ type: [ListedJobView] })
  readonly items: readonly ListedJobView[];
  @ApiProperty({ type: String, nullable: true, description: '`after` of the next page; null when this is the last.' })
  readonly next: string | null;
}

/** A composition job. */
export class CompositionJobView extends ListedJobView {
  @ApiProperty({ type: [String], description: 'The adapter versions that may get a weight, as ns/name@version.' })
  readonly candidates: readonly string[];
  @ApiProperty({ type: 'integer', description: 'Number of examples.' })
  readonly examples: number;
  @ApiProperty({ type: 'integer' })
  readonly budget: number;
  @ApiProperty({ type: 'integer' })
  readonly seed: number;
  @ApiProperty({ description: 'How it searches; see the strategy of a request.' })
  readonly strategy: string;
  @ApiProperty({ enum: SPACES })
  readonly space: Space;
  @ApiProperty({ enum: PRECISIONS, description: 'What the search goes by; see the precision of a request.' })
  readonly precision: Precision;
  @ApiProperty({ enum: OBJECTIVE_NAMES, description: 'What is minimised; see the objective of a request.' })
  readonly objective: ObjectiveName;
  @ApiProperty({ type: 'integer', nullable: true, description: 'How many examples stand in front of each one; null for none.' })
  readonly shots: number | null;
  @ApiProperty({ type: CompositionView, nullable: true, description: 'Present when the job succeeded.' })
  readonly composition: CompositionView | null;
}

/**
 * The events of a job's stream, in the order in which they come: the state now, every improvement and change, then one that ends the stream.
 * `progress`: JobProgress; `done`: {composition, report}; `failed`: WorkFailure; `cancelled`: {}.
 * An id is the number of evaluations up to which improvements were sent; with it as Last-Event-ID a new stream begins with those after it.
 * Comments keep the connection alive.
 */
export type JobEvent = JobEventBody & { readonly id: string };

export type JobEventBody =
  | { readonly type: 'progress'; readonly data: JobProgress }
  | { readonly type: 'done'; readonly data: { readonly composition: CompositionView; readonly report: CompositionReport } }
  | { readonly type: 'failed'; readonly data: WorkFailure }
  | { readonly type: 'cancelled'; readonly data: Record<string, never> };
