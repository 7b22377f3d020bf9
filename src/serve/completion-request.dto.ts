// The body of POST /v1/completions.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsOptional, Max, Min } from 'class-validator';
import { IsPrompt } from '#src/serve/field-validators.js';
import { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';

const tokenId = { type: 'integer', minimum: 0 } as const;

export class CompletionRequestDto extends GenerationFieldsDto {
  @ApiProperty({
    description: 'A text, token ids, or a list of either',
    oneOf: [
      { type: 'string' },
      { type: 'array', items: { type: 'string' }, minItems: 1 },
      { type: 'array', items: tokenId, minItems: 1 },
      { type: 'array', items: { type: 'array', items: tokenId, minItems: 1 }, minItems: 1 },
    ],
    example: 'Once upon a time',
  })
  @IsPrompt()
  prompt: unknown;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    default: 16,
    minimum: 0,
    description: 'Tokens to generate; 0 only with echo, which then scores the prompt',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  max_tokens?: number | null;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    minimum: 0,
    maximum: 20,
    description: 'Log-probabilities of each token and of this many of the most likely ones',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(20)
  logprobs?: number | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Begin the answer with the prompt' })
  @IsOptional()
  @IsBoolean()
  echo?: boolean | null;
}
