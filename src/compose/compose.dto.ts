// What the routes of compose take.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
} from 'class-validator';
import { type Space, SPACES } from '#src/registry/composition-version.entity.js';
import { type Precision, PRECISIONS } from '#src/runtime/engine.js';
import { WORK_STATUSES, type WorkStatus } from '#src/work/work-status.js';
import { PRIORITY_NAMES, type PriorityName } from './compose.views.js';
import { MOST_CHOICES } from '#src/tokenizer/choices.js';
import { LARGEST_BOUND, LARGEST_REGULARISATION, LORAHUB_OBJECTIVE, SMALLEST_BOUND } from './objective.js';
import { OBJECTIVE_NAMES, type ObjectiveName } from './objectives/objectives.js';
import { MOST_SHOTS } from './prompted-form.js';
import { DEFAULT_BUDGET, DEFAULT_PRESET, describeStages, PRESET_NAMES } from './strategy.js';

/** Candidates of one search: each costs an evaluation before the search begins, and its span must stay searchable. */
export const MOST_CANDIDATES = 64;
export const DEFAULT_TOP = 20;
/** A day of evaluations on a slow machine; more is a mistake. */
export const LARGEST_BUDGET = 100_000;
export const DEFAULT_SEED = 1;
/** What servers take as a request line without asking twice. */
const LONGEST_URL = 2_000;

export class ComposeRequest {
  @ApiProperty({ example: 'me/first-capitalized', description: 'Name of the composition, ns/name.' })
  @IsString()
  @Length(1, 200)
  readonly name: string;

  @ApiProperty({ example: 'HuggingFaceTB/SmolLM2-135M-Instruct', description: 'Name of the base model.' })
  @IsString()
  @Length(1, 200)
  readonly base: string;

  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    example: [{ prompt: 'Words: on, before, hard\nFirst, capitalized:', completion: ' On' }],
    description: 'Examples of the task: {prompt, completion}, both texts or both lists of messages, or {messages}. At most 256.',
  })
  // The objects themselves are checked by src/tokenizer/examples.ts, whose errors name the example.
  @IsArray()
  readonly examples: unknown[];

  @ApiPropertyOptional({
    type: [String],
    example: ['me/first@1.0.0', 'me/capitalize'],
    description: 'The candidates, ns/name or ns/name@version; not together with query.',
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_CANDIDATES)
  @IsString({ each: true })
  @Length(1, 240, { each: true })
  readonly adapters?: string[];

  @ApiPropertyOptional({
    description: 'Words that the candidates must fit. Without adapters and query they are those whose task is most like the examples.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 500)
  // PostgreSQL's text holds no NUL.
  @Matches(/^[^\0]*$/, { message: '$property must not contain a NUL character' })
  readonly query?: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MOST_CANDIDATES,
    description: 'How many candidates to find at most: 20 with a query, 32 without.',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MOST_CANDIDATES)
  readonly top?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 3,
    maximum: LARGEST_BUDGET,
    default: DEFAULT_BUDGET,
    description: 'Weight vectors to score in all; the base, every candidate alone and the uniform mixture are among them.',
  })
  @IsOptional()
  @IsInt()
  @Min(3)
  @Max(LARGEST_BUDGET)
  readonly budget?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    default: DEFAULT_SEED,
    description: 'The same request with the same seed gives the same weights.',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  readonly seed?: number;

  @ApiPropertyOptional({
    default: DEFAULT_PRESET,
    example: 'weave,search=cma-es',
    description: `How to search: a preset (${PRESET_NAMES.join(', ')}), then stages to replace: ${describeStages()}.`,
  })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  readonly strategy?: string;

  @ApiPropertyOptional({
    enum: SPACES,
    default: 'delta',
    description:
      'What weights act on. delta: W₀ + Σ wᵢ·sᵢ·BᵢAᵢ, any adapters; factor: W₀ + (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ), as LoraHub merges, adapters of one rank and the same targets.',
  })
  @IsOptional()
  @IsIn(SPACES)
  readonly space?: Space;

  @ApiPropertyOptional({
    enum: PRECISIONS,
    default: 'float32',
    description:
      'What the search goes by. int8: the base is rounded, so that an evaluation is about twice as fast; the mixtures that seem best, the best adapters, the base and the uniform mixture are then measured in float32, out of the budget, and only that is published and judged. On the CPU. float16: the same in half precision, faster on GPUs only.',
  })
  @IsOptional()
  @IsIn(PRECISIONS)
  readonly precision?: Precision;

  @ApiPropertyOptional({
    enum: OBJECTIVE_NAMES,
    default: 'likelihood',
    description:
      "What is minimised. likelihood: nats per answer token; normalised: the same, every example weighing alike; choice: −log of the right one's share among `choices`, each scored as the answer; exact: whether greedy decoding gives the answer, with a small share of the likelihood; reward: what the service `reward` says of the greedily decoded answer, with the same share.",
  })
  @IsOptional()
  @IsIn(OBJECTIVE_NAMES)
  readonly objective?: ObjectiveName;

  @ApiPropertyOptional({
    type: [String],
    example: ['yes', 'no'],
    description: 'Of the objective choice, which they ask for by themselves: the answers to choose from; every answer must be one.',
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(2)
  @ArrayMaxSize(MOST_CHOICES)
  @IsString({ each: true })
  @Length(1, 1000, { each: true })
  readonly choices?: readonly string[];

  @ApiPropertyOptional({
    example: 'http://127.0.0.1:9100/reward',
    description:
      'Of the objective reward, which it asks for by itself: the URL of a service that judges answers. It is sent {examples: [{prompt or messages, answer, expected}]} and answers {rewards: [0…1]}. Its origin must be among BRAID_REWARD_ORIGINS of the hub.',
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_URL)
  readonly reward?: string;

  @ApiPropertyOptional({
    type: 'number',
    minimum: 0,
    maximum: LARGEST_REGULARISATION,
    default: LORAHUB_OBJECTIVE.regularisation,
    description: 'α: the search minimises the loss + α·mean|w| over all candidates.',
  })
  @IsOptional()
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(LARGEST_REGULARISATION)
  readonly regularisation?: number;

  @ApiPropertyOptional({
    type: 'number',
    minimum: SMALLEST_BOUND,
    maximum: LARGEST_BOUND,
    default: LORAHUB_OBJECTIVE.bound,
    description: 'Weights are searched from −bound to bound.',
  })
  @IsOptional()
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(SMALLEST_BOUND)
  @Max(LARGEST_BOUND)
  readonly bound?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MOST_SHOTS,
    description:
      'Compose for the prompted model: so many of the other examples stand in front of each one, and the first ones in front of every request to the composition. There must be more examples than that.',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MOST_SHOTS)
  readonly shots?: number;

  @ApiPropertyOptional({ example: '1.0.0', description: 'Version of the composition; without it, the next one.' })
  @IsOptional()
  @IsString()
  @Length(1, 100)
  readonly version?: string;

  @ApiPropertyOptional({
    enum: PRIORITY_NAMES,
    default: 'normal',
    description: 'Jobs of a higher priority are started first; among equals the namespaces take turns.',
  })
  @IsOptional()
  @IsIn(PRIORITY_NAMES)
  readonly priority?: PriorityName;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'number' },
    example: { 'me/first': 0.8 },
    description: 'Weights that the search tries first, by the names of candidates; those that are not named start at 0.',
  })
  @IsOptional()
  @IsObject()
  readonly warmStart?: Record<string, unknown>;
}

export class RecomposeRequest {
  @ApiPropertyOptional({ enum: PRIORITY_NAMES, default: 'normal' })
  @IsOptional()
  @IsIn(PRIORITY_NAMES)
  readonly priority?: PriorityName;
}

export const DEFAULT_JOBS_IN_PAGE = 50;

export class ListJobsQuery {
  @ApiPropertyOptional({ enum: WORK_STATUSES, description: 'Only jobs in this state.' })
  @IsOptional()
  @IsIn(WORK_STATUSES)
  readonly status?: WorkStatus;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, default: DEFAULT_JOBS_IN_PAGE })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  readonly limit?: number;

  @ApiPropertyOptional({ description: 'The `next` of the page before.' })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  readonly after?: string;
}
