// What the routes of evaluations answer.
import { ApiProperty } from '@nestjs/swagger';
import { WORK_STATUSES, type WorkFailure, type WorkStatus } from '#src/work/work-status.js';
import type { EvaluationDifference, EvaluationResult } from './summarize-outcomes.js';

/** What `progress` events carry. */
export interface EvaluationProgress {
  readonly status: WorkStatus;
  /** Examples that are done, those of earlier attempts among them. */
  readonly evaluated: number;
  readonly total: number;
}

/** A model's evaluation. */
export class EvaluationView {
  @ApiProperty({ format: 'uuid' })
  readonly id: string;
  @ApiProperty({
    example: 'me/reverse@1.0.0',
    description: 'What is evaluated: a base model, or a version of an adapter or a composition.',
  })
  readonly model: string;
  @ApiProperty({ description: 'Name of the base model.' })
  readonly base: string;
  @ApiProperty({ example: 'reverse-test', description: 'Name of the evaluation.' })
  readonly name: string;
  @ApiProperty({ enum: WORK_STATUSES })
  readonly status: WorkStatus;
  @ApiProperty({ description: 'Someone asked for its end; a running one ends with its present examples.' })
  readonly isCancelling: boolean;
  @ApiProperty({ type: 'integer', description: 'Number of examples.' })
  readonly examples: number;
  @ApiProperty({ type: 'integer', description: 'Examples that are done.' })
  readonly evaluated: number;
  @ApiProperty({ description: 'Equal for evaluations on the same examples.' })
  readonly examplesDigest: string;
  @ApiProperty({ type: 'integer', description: 'Tokens that a generated answer may have.' })
  readonly maxTokens: number;
  @ApiProperty({ type: [String], nullable: true })
  readonly choices: readonly string[] | null;
  @ApiProperty({ description: "Whether a choice's log-likelihood is divided by its tokens." })
  readonly lengthNormalized: boolean;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description:
      '{loss, exactMatch, accuracy, answerTokens} when it succeeded; the first three {value, low, high} with a 95 % interval, loss in nats per answer token (bootstrap), the others shares (Wilson), null where there is none.',
  })
  readonly result: EvaluationResult | null;
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, description: '{code, message, retryable} when it failed.' })
  readonly error: WorkFailure | null;
  @ApiProperty({ format: 'date-time' })
  readonly createdAt: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly startedAt: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly finishedAt: string | null;
}

/** The newest finished evaluation of each name. */
export class EvaluationListView {
  @ApiProperty({ type: [EvaluationView], description: 'By name.' })
  readonly items: readonly EvaluationView[];
}

/** Two evaluations on the same examples. */
export class EvaluationDifferenceView {
  @ApiProperty({ example: 'me/base', description: 'What is subtracted.' })
  readonly first: string;
  @ApiProperty({ example: 'me/reverse@1.0.0' })
  readonly second: string;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: '{loss, exactMatch, accuracy}: second minus first as {value, low, high} with a 95 % interval of the paired bootstrap.',
  })
  readonly difference: EvaluationDifference;
}

/**
 * The events of an evaluation's stream, in the order in which they come: the state now, every change, then one that ends the stream.
 * Comments keep the connection alive.
 */
export type EvaluationEvent =
  | { readonly type: 'progress'; readonly data: EvaluationProgress }
  | { readonly type: 'done'; readonly data: EvaluationView }
  | { readonly type: 'failed'; readonly data: WorkFailure }
  | { readonly type: 'cancelled'; readonly data: Record<string, never> };
