// llama.cpp's list of adapters, whose ids its clients put into a request's `lora`.
import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { list, object, text } from '#src/serve/openai-schemas.js';
import { ServedModelsService } from '#src/serve/served-models.service.js';

class LoraAdaptersQueryDto {
  @ApiPropertyOptional({ type: 'string', example: 'braid/tiny-words', description: 'Those for this base model' })
  @IsOptional()
  @IsString()
  @MaxLength(256)
  model?: string;
}

interface LoraAdapter {
  /** The adapter's name. */
  readonly id: string;
  /** The version that the name stands for. */
  readonly path: string;
  /** Nothing is applied unless a request asks for it. */
  readonly scale: 0;
}

const adapterSchema = object({
  id: { type: 'string', description: "The adapter's name" },
  path: text,
  scale: { type: 'number', enum: [0], description: 'Nothing is applied unless a request asks for it' },
});

@ApiTags('llama.cpp')
@Controller('lora-adapters')
export class LoraAdaptersController {
  constructor(private readonly models: ServedModelsService) {}

  @Get()
  @ApiOperation({ summary: 'Every adapter, as lora: [{id, scale}] of a completion or chat takes it' })
  @ApiOkResponse({ schema: list(adapterSchema) })
  async listAdapters(@Query() { model }: LoraAdaptersQueryDto): Promise<LoraAdapter[]> {
    const adapters = await this.models.listAdapters(model);
    return adapters.map(({ repository, version }) => ({ id: repository.fullName, path: `${repository.fullName}@${version}`, scale: 0 }));
  }
}
