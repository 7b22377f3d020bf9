// What the routes of base models take and answer.
import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';
import { type BaseModel } from '#src/registry/base-model.entity.js';

export class AddBaseModelRequest {
  @ApiProperty({
    example: '/models/SmolLM2-135M-Instruct',
    description: 'Absolute path of a Hugging Face model directory on the machine of the hub.',
  })
  @IsString()
  @Length(1, 4096)
  readonly directory: string;

  @ApiProperty({ example: 'HuggingFaceTB/SmolLM2-135M-Instruct', description: 'The name to register it under, ns/name.' })
  @IsString()
  @Length(1, 200)
  readonly name: string;
}

export class BaseModelView {
  @ApiProperty({ example: 'HuggingFaceTB/SmolLM2-135M-Instruct' })
  readonly name: string;
  @ApiProperty({ example: `sha256:${'0'.repeat(64)}`, description: 'Of the bytes of the weight files, in the order of their names.' })
  readonly digest: string;
  @ApiProperty({ description: 'Where the model lies on the machine of the hub.' })
  readonly directory: string;
  @ApiProperty({ example: 'LlamaForCausalLM' })
  readonly architecture: string;
  @ApiProperty({ example: 134_515_008 })
  readonly parameterCount: number;
  @ApiProperty({ description: 'Bytes of all weights as they are stored.' })
  readonly weightBytes: number;
  @ApiProperty({ example: 8192, description: 'Tokens of prompt and answer together.' })
  readonly contextLength: number;
  @ApiProperty({ example: 49_152 })
  readonly vocabularySize: number;
  @ApiProperty({ format: 'date-time' })
  readonly createdAt: string;
}

export class BaseModelListView {
  @ApiProperty({ type: [BaseModelView], description: 'All base models, by name.' })
  readonly items: readonly BaseModelView[];
}

/** What a client sees of a base model. */
export function createBaseModelView(model: BaseModel): BaseModelView {
  const { name, digest, directory, architecture, parameterCount, weightBytes, contextLength, vocabularySize, createdAt } = model;
  return {
    name,
    digest,
    directory,
    architecture,
    parameterCount,
    weightBytes,
    contextLength,
    vocabularySize,
    createdAt: createdAt.toISOString(),
  };
}
