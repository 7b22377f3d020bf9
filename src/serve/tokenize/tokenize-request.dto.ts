// The bodies of POST /tokenize and POST /detokenize; names and meanings are vLLM's.
import { ApiProperty, ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { Allow, IsBoolean, IsOptional, IsString } from 'class-validator';
import { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { IsTokens } from '#src/serve/field-validators.js';

export class TokenizeRequestDto extends PickType(ChatRequestDto, [
  'model',
  'add_generation_prompt',
  'chat_template_kwargs',
  'reasoning_effort',
  'add_special_tokens',
]) {
  @ApiPropertyOptional({ type: 'string', nullable: true, description: 'A text; this or messages', example: 'Once upon a time' })
  @IsOptional()
  @IsString()
  prompt?: string | null;

  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'object' },
    nullable: true,
    description: 'A conversation, as /v1/chat/completions takes it; this or prompt',
  })
  // Checked by parseChatMessages, which names the place inside.
  @Allow()
  messages?: unknown;

  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    default: false,
    description: 'Return the tokens as the vocabulary writes them, too',
  })
  @IsOptional()
  @IsBoolean()
  return_token_strs?: boolean | null;
}

export class DetokenizeRequestDto extends PickType(ChatRequestDto, ['model']) {
  @ApiProperty({ type: 'array', items: { type: 'integer', minimum: 0 }, description: "Token ids, at most the model's context" })
  @IsTokens()
  tokens: number[];
}
