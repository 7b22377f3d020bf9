// The body of POST /v1/chat/completions.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow, IsBoolean, IsInt, IsObject, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { MAX_MESSAGES } from '#src/serve/chat-messages.js';
import { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';

export class ChatRequestDto extends GenerationFieldsDto {
  @ApiProperty({
    type: 'array',
    items: {
      type: 'object',
      required: ['role', 'content'],
      properties: {
        role: { type: 'string', enum: ['system', 'developer', 'user', 'assistant'] },
        content: { oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'object' } }] },
      },
    },
    minItems: 1,
    maxItems: MAX_MESSAGES,
    example: [{ role: 'user', content: 'Hello!' }],
  })
  // Checked by parseChatMessages, which names the place inside.
  @Allow()
  messages: unknown;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    description: 'Tokens to generate. Default: as many as fit the context',
    minimum: 1,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  max_completion_tokens?: number | null;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    deprecated: true,
    description: 'The former name of max_completion_tokens',
    minimum: 1,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  max_tokens?: number | null;

  @ApiPropertyOptional({ type: 'boolean', nullable: true, default: false, description: 'Return log-probabilities' })
  @IsOptional()
  @IsBoolean()
  logprobs?: boolean | null;

  @ApiPropertyOptional({
    type: 'integer',
    nullable: true,
    minimum: 0,
    maximum: 20,
    description: 'With logprobs: how many of the most likely tokens to list at each place',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(20)
  top_logprobs?: number | null;

  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    default: true,
    description: "Open the assistant's turn at the end of the prompt",
  })
  @IsOptional()
  @IsBoolean()
  add_generation_prompt?: boolean | null;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description: "Further variables of the model's chat template, e.g. enable_thinking",
  })
  @IsOptional()
  @IsObject()
  chat_template_kwargs?: Record<string, unknown> | null;

  @ApiPropertyOptional({ type: 'string', nullable: true, description: "Passed on to the model's chat template, if that reads it" })
  @IsOptional()
  @IsString()
  @MaxLength(32)
  reasoning_effort?: string | null;
}
