// The body of POST /v1/compare: one input, several models; the other fields are those of a completion or a chat.
import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath, PickType } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { Allow, ArrayMaxSize, ArrayMinSize, IsArray, IsOptional, IsString, ValidateNested } from 'class-validator';
import { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { ModelFieldsDto } from '#src/serve/model-fields.dto.js';

/** Each is a row beside the others. */
const MAX_MODELS = 64;

export class ComparedModelDto extends ModelFieldsDto {}

@ApiExtraModels(ComparedModelDto)
export class CompareRequestDto extends PickType(ChatRequestDto, [
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'presence_penalty',
  'frequency_penalty',
  'repetition_penalty',
  'logit_bias',
  'allowed_token_ids',
  'min_tokens',
  'seed',
  'stop',
  'stop_token_ids',
  'include_stop_str_in_output',
  'ignore_eos',
  'skip_special_tokens',
  'add_special_tokens',
  'add_generation_prompt',
  'chat_template_kwargs',
  'reasoning_effort',
]) {
  @ApiProperty({
    type: 'array',
    items: { oneOf: [{ type: 'string' }, { $ref: getSchemaPath(ComparedModelDto) }] },
    maxItems: MAX_MODELS,
    example: [
      'braid/tiny-words',
      'words/make-upper',
      { model: 'braid/tiny-words', mixture: [{ adapter: 'words/make-upper', weight: 0.5 }] },
    ],
    description: 'Names, or a base model with a mixture; they need not have one base',
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_MODELS)
  @ValidateNested({ each: true })
  @Type(() => ComparedModelDto)
  @Transform(({ value }: { value: unknown }) => (Array.isArray(value) ? value.map(withModel) : value))
  models: ComparedModelDto[];

  @ApiPropertyOptional({ type: 'string', nullable: true, description: 'A text to continue; this or messages' })
  @IsOptional()
  @IsString()
  prompt?: string | null;

  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'object' },
    nullable: true,
    description: 'A conversation to answer; this or prompt',
  })
  // Checked by parseChatMessages, which names the place inside.
  @Allow()
  messages?: unknown;
}

/** A bare name is a model without a mixture. */
function withModel(item: unknown): unknown {
  return typeof item === 'string' ? Object.assign(new ComparedModelDto(), { model: item }) : item;
}
