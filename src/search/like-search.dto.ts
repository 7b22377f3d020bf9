// Request and answer of POST /api/search/like.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsArray, IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { SearchItem } from './search.dto.js';

export class LikeSearchRequest {
  @ApiPropertyOptional({ example: 'me/antonyms', description: 'An adapter, ns/name or ns/name@version; not together with examples.' })
  @IsOptional()
  @IsString()
  @Length(1, 240)
  readonly like?: string;

  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'object' },
    example: [{ prompt: 'Word: hot\nAntonym:', completion: ' cold' }],
    description: 'Examples of the task, as for a composition; with base.',
  })
  // The objects themselves are checked by src/tokenizer/examples.ts, whose errors name the example.
  @IsOptional()
  @IsArray()
  readonly examples?: readonly unknown[];

  @ApiPropertyOptional({ description: 'The base model; without it that of the adapter.' })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  readonly base?: string;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, default: 20 })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(100)
  readonly limit?: number;
}

export class LikeItem extends SearchItem {
  @ApiProperty({ description: 'Cosine of the two signatures, −1…1.' }) similarity: number;
}

export class LikeSearchResult {
  @ApiProperty({ type: [LikeItem], description: 'Most alike first.' }) items: LikeItem[];
  @ApiProperty({ description: 'Adapters that were compared.' }) considered: number;
}
