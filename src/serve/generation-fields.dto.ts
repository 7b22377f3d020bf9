// The fields that completions and chats share, checked; names and meanings are OpenAI's, further ones vLLM's.
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsLogitBias, IsStop, MAX_BIAS, MAX_LISTED_TOKENS, MAX_STOP_LENGTH, MAX_STOPS } from '#src/serve/field-validators.js';
import { ModelFieldsDto } from '#src/serve/model-fields.dto.js';

const MAX_CHOICES = 128;
const MAX_STOP_TOKENS = 48;
const MAX_PENALTY = 2;
const finite = { allowNaN: false, allowInfinity: false };
/** OpenAI's are integers of 64 bits. */
const SEED_LIMIT = 2 ** 63;
const stopText = { type: 'string', minLength: 1, maxLength: MAX_STOP_LENGTH } as const;
const seedRange = { message: '$property must be from -2^63 to 2^63' };

export class StreamOptionsDto {
  @ApiPropertyOptional({ type: 'boolean', nullable: true, description: 'Send one more chunk with the usage of the whole request' })
  @IsOptional()
  @IsBoolean()
  include_usage?: boolean | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, description: 'Send the usage so far with every chunk' })
  @IsOptional()
  @IsBoolean()
  continuous_usage_stats?: boolean | null;
}

export class GenerationFieldsDto extends ModelFieldsDto {
  @ApiPropertyOptional({ type: 'integer', nullable: true, default: 1, minimum: 1, maximum: MAX_CHOICES, description: 'Answers per prompt' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_CHOICES)
  n?: number | null;

  @ApiPropertyOptional({ type: 'number', nullable: true, default: 1, minimum: 0, maximum: 100, description: '0 is greedy' })
  @IsOptional()
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(0)
  @Max(100)
  temperature?: number | null;

  @ApiPropertyOptional({
    type: 'number',
    nullable: true,
    default: 1,
    minimum: 0,
    exclusiveMinimum: true,
    maximum: 1,
    description: 'Sample from the most likely tokens that together have this probability; above 0',
  })
  @IsOptional()
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(Number.MIN_VALUE, { message: 'top_p must be above 0 and at most 1' })
  @Max(1)
  top_p?: number | null;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    default: 0,
    description: 'Sample from this many of the most likely tokens; 0 or -1: from all',
  })
  @IsOptional()
  @IsInt()
  @Min(-1)
  @Max(Number.MAX_SAFE_INTEGER)
  top_k?: number | null;

  @ApiPropertyOptional({
    type: 'number',
    nullable: true,
    default: 0,
    minimum: 0,
    maximum: 1,
    description: 'Leave out tokens that are less likely than this times the likeliest one',
  })
  @IsOptional()
  @IsNumber(finite)
  @Min(0)
  @Max(1)
  min_p?: number | null;

  @ApiPropertyOptional({
    type: 'number',
    nullable: true,
    default: 0,
    minimum: -MAX_PENALTY,
    maximum: MAX_PENALTY,
    description: 'Taken from the logit of every token that the answer has already',
  })
  @IsOptional()
  @IsNumber(finite)
  @Min(-MAX_PENALTY)
  @Max(MAX_PENALTY)
  presence_penalty?: number | null;

  @ApiPropertyOptional({
    type: 'number',
    nullable: true,
    default: 0,
    minimum: -MAX_PENALTY,
    maximum: MAX_PENALTY,
    description: 'Taken from the logit of a token as often as the answer has it already',
  })
  @IsOptional()
  @IsNumber(finite)
  @Min(-MAX_PENALTY)
  @Max(MAX_PENALTY)
  frequency_penalty?: number | null;

  @ApiPropertyOptional({
    type: 'number',
    nullable: true,
    default: 1,
    minimum: 0.01,
    maximum: 100,
    description: 'Divides positive and multiplies other logits of tokens of the prompt and of the answer; above 1 against repetition',
  })
  @IsOptional()
  @IsNumber(finite)
  @Min(0.01)
  @Max(100)
  repetition_penalty?: number | null;

  @ApiPropertyOptional({
    type: 'object',
    nullable: true,
    additionalProperties: { type: 'number', minimum: -MAX_BIAS, maximum: MAX_BIAS },
    maxProperties: MAX_LISTED_TOKENS,
    example: { '50256': -100 },
    description: 'Added to the logits of tokens, by id; -100 all but bans, 100 all but forces',
  })
  @IsOptional()
  @IsLogitBias()
  logit_bias?: Record<string, number> | null;

  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'integer', minimum: 0 },
    nullable: true,
    minItems: 1,
    maxItems: MAX_LISTED_TOKENS,
    description: 'Choose among these tokens alone, by id; end-of-sequence tokens included only where listed',
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_LISTED_TOKENS)
  @IsInt({ each: true })
  @Min(0, { each: true })
  allowed_token_ids?: number[] | null;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    default: 0,
    minimum: 0,
    description: 'No stop token and no stop text ends the answer before it has so many tokens; at most max_tokens',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  min_tokens?: number | null;

  @ApiPropertyOptional({ type: 'integer', nullable: true, description: 'The same seed gives the same answer, in any batch' })
  @IsOptional()
  @IsInt()
  @Min(-SEED_LIMIT, seedRange)
  @Max(SEED_LIMIT, seedRange)
  seed?: number | null;

  @ApiPropertyOptional({
    oneOf: [stopText, { type: 'array', items: stopText, maxItems: MAX_STOPS }],
    nullable: true,
    description: 'Up to 16 texts that end the answer and are not part of it',
  })
  @IsOptional()
  @IsStop()
  stop?: string | string[] | null;

  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'integer', minimum: 0 },
    maxItems: MAX_STOP_TOKENS,
    nullable: true,
    description: 'Tokens that end the answer, beside the end-of-sequence tokens',
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_STOP_TOKENS)
  @IsInt({ each: true })
  @Min(0, { each: true })
  stop_token_ids?: number[] | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Keep the stop text in the answer' })
  @IsOptional()
  @IsBoolean()
  include_stop_str_in_output?: boolean | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Go on after an end-of-sequence token' })
  @IsOptional()
  @IsBoolean()
  ignore_eos?: boolean | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: true, description: 'Leave special tokens out of the text' })
  @IsOptional()
  @IsBoolean()
  skip_special_tokens?: boolean | null;

  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    description:
      'Let the tokenizer add its own special tokens to the prompt. Default: true for completions, false for chats, whose template writes them',
  })
  @IsOptional()
  @IsBoolean()
  add_special_tokens?: boolean | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Server-sent events instead of one JSON object' })
  @IsOptional()
  @IsBoolean()
  stream?: boolean | null;

  @ApiPropertyOptional({ type: StreamOptionsDto, nullable: true })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => StreamOptionsDto)
  stream_options?: StreamOptionsDto | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Write tokens in log-probabilities as token_id:ID' })
  @IsOptional()
  @IsBoolean()
  return_tokens_as_token_ids?: boolean | null;

  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    default: false,
    description: "Return token ids beside the text: the prompt's and the answer's",
  })
  @IsOptional()
  @IsBoolean()
  return_token_ids?: boolean | null;
}
