// The body of LoRAX's routes; names and meanings are LoRAX's (router/src/lib.rs), `model` is Braid's own.
import { ApiProperty, ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsInt, IsObject, IsOptional, IsString, Max, MaxLength, Min, MinLength, ValidateNested } from 'class-validator';
import { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';

export class LoraxParametersDto extends PickType(GenerationFieldsDto, [
  'adapter_id',
  'adapter_source',
  'merged_adapters',
  'temperature',
  'top_k',
  'top_p',
  'repetition_penalty',
  'frequency_penalty',
  'presence_penalty',
  'seed',
  'stop',
]) {
  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    default: false,
    description: 'Sample; also when temperature, top_k or top_p say something. Else greedy',
  })
  @IsOptional()
  @IsBoolean()
  do_sample?: boolean | null;

  @ApiPropertyOptional({ type: 'integer', nullable: true, minimum: 1, description: 'Default: as many as fit the context' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  max_new_tokens?: number | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Go on after an end-of-sequence token' })
  @IsOptional()
  @IsBoolean()
  ignore_eos_token?: boolean | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Begin generated_text with the inputs' })
  @IsOptional()
  @IsBoolean()
  return_full_text?: boolean | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Return finish_reason, counts, seed and tokens' })
  @IsOptional()
  @IsBoolean()
  details?: boolean | null;

  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    default: false,
    description: "With details: the prompt's tokens and log-probabilities",
  })
  @IsOptional()
  @IsBoolean()
  decoder_input_details?: boolean | null;

  @ApiPropertyOptional({ type: 'integer', nullable: true, minimum: 1, maximum: 20, description: 'The likeliest tokens at each place' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(20)
  return_k_alternatives?: number | null;
}

export class LoraxRequestDto {
  @ApiProperty({ minLength: 1, example: 'REVERSE: ab cd =>' })
  @IsString()
  @MinLength(1)
  inputs: string;

  @ApiPropertyOptional({ type: LoraxParametersDto, nullable: true })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => LoraxParametersDto)
  parameters?: LoraxParametersDto | null;

  @ApiPropertyOptional({
    type: 'string',
    nullable: true,
    description: "A base model, for hubs that have several. Default: that of the adapters, else the hub's only one",
  })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  model?: string | null;
}

/** POST / streams by a field of the body. */
export class LoraxCompatRequestDto extends LoraxRequestDto {
  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false })
  @IsOptional()
  @IsBoolean()
  stream?: boolean | null;
}
