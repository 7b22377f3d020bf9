// What the routes of adapters and repositories take.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { MAX_TAG_LENGTH, MAX_TAGS } from './read-card.js';

export class PublishAdapterRequest {
  @ApiProperty({ example: 'me/antonyms', description: 'Name of the adapter, ns/name.' })
  @IsString()
  @Length(1, 200)
  readonly name: string;

  @ApiProperty({ example: 'HuggingFaceTB/SmolLM2-135M-Instruct', description: 'Name of the base model.' })
  @IsString()
  @Length(1, 200)
  readonly base: string;

  @ApiPropertyOptional({ example: '1.2.0', description: 'Without it the next minor version, or the latest when it is this very adapter.' })
  @IsOptional()
  @IsString()
  @Length(1, 100)
  readonly version?: string;

  @ApiPropertyOptional({ type: [String], example: ['words'], description: 'May be repeated; those of the card are added.' })
  @IsOptional()
  // A form field that comes once is a text.
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value))
  @IsArray()
  @ArrayMaxSize(MAX_TAGS)
  @IsString({ each: true })
  @Length(1, MAX_TAG_LENGTH, { each: true })
  readonly tag?: string[];
}

export class GetAdapterQuery {
  @ApiPropertyOptional({ example: '1.2.0', description: 'Without it the latest.' })
  @IsOptional()
  @IsString()
  @Length(1, 100)
  readonly version?: string;
}

export const REPOSITORY_KINDS = ['adapter', 'composition'] as const;

export class ListRepositoriesQuery {
  @ApiPropertyOptional({ enum: REPOSITORY_KINDS })
  @IsOptional()
  @IsIn(REPOSITORY_KINDS)
  readonly kind?: (typeof REPOSITORY_KINDS)[number];

  @ApiPropertyOptional({ description: 'Only those for this base model.' })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  readonly base?: string;

  @ApiPropertyOptional({ minimum: 1, maximum: 1000, default: 100 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  readonly limit?: number;

  @ApiPropertyOptional({ description: 'The `next` of the page before.' })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  readonly after?: string;
}
