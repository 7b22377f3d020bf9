// What the routes of evaluations take.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsBoolean, IsInt, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';
import { MOST_CHOICES } from '#src/tokenizer/choices.js';

/** Every example is scored and answered once; more belong into several evaluations, of which each has a result of its own. */
export const MOST_EVALUATED = 10_000;
/** Short answers are the rule; a longer completion raises it to what it needs. */
export const DEFAULT_MAX_TOKENS = 32;
const LARGEST_MAX_TOKENS = 100_000;

export class EvaluateRequest {
  @ApiProperty({ example: 'me/reverse@1.0.0', description: 'A base model, ns/adapter[@version] or ns/composition[@version].' })
  @IsString()
  @Length(1, 240)
  readonly model: string;

  @ApiProperty({ example: 'reverse-test', description: 'Name under which search and show find the result.' })
  @IsString()
  @Length(1, 100)
  @Matches(/^[^\p{C}]*$/u, { message: '$property must not contain control characters' })
  readonly name: string;

  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    example: [{ prompt: 'Reverse: abc =>', completion: ' cba' }],
    description: `Examples: {prompt, completion}, both texts or both lists of messages, or {messages}. At most ${MOST_EVALUATED}.`,
  })
  // The objects themselves are checked by src/tokenizer/examples.ts, whose errors name the example.
  @IsArray()
  readonly examples: unknown[];

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: LARGEST_MAX_TOKENS,
    description: `Tokens that a generated answer may have; without it ${DEFAULT_MAX_TOKENS}, or what the longest completion needs.`,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(LARGEST_MAX_TOKENS)
  readonly maxTokens?: number;

  @ApiPropertyOptional({
    type: [String],
    example: ['yes', 'no'],
    description: 'Answers to choose from by log-likelihood; every answer must be one.',
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(2)
  @ArrayMaxSize(MOST_CHOICES)
  @IsString({ each: true })
  @Length(1, 1000, { each: true })
  readonly choices?: string[];

  @ApiPropertyOptional({ default: false, description: "Divide a choice's log-likelihood by its tokens." })
  @IsOptional()
  @IsBoolean()
  readonly lengthNormalized?: boolean;
}

export class EvaluationListQuery {
  @ApiProperty({
    example: 'me/reverse',
    description: 'A base model, ns/adapter[@version] or ns/composition[@version]; the latest without version.',
  })
  @IsString()
  @Length(1, 240)
  readonly model: string;
}
