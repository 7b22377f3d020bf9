// Query and answer of GET /api/search.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { ArrayMaxSize, IsIn, IsInt, IsNumber, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';

const KINDS = ['adapter', 'composition'] as const;
// PostgreSQL's text holds no NUL.
const WITHOUT_NUL = /^[^\0]*$/;
const noNul = { message: '$property must not contain a NUL character' };
const MAX_RANK = 1_000_000;

/** `?tag=a&tag=b` arrives as a list, `?tag=a` as a string. */
function toList({ value }: { value: unknown }): unknown {
  return value === undefined || Array.isArray(value) ? value : [value];
}

export class SearchQuery {
  @ApiPropertyOptional({ description: 'Words to find in name, tags, description and card; "phrases", -excluded words and `or` work.' })
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @Matches(WITHOUT_NUL, noNul)
  q?: string;

  @ApiPropertyOptional({ description: 'Only for this base model.' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  @Matches(WITHOUT_NUL, noNul)
  base?: string;

  @ApiPropertyOptional({ description: 'Only with this tag; repeat it to ask for several at once.', type: [String] })
  @IsOptional()
  @Transform(toList)
  @IsString({ each: true })
  @MaxLength(200, { each: true })
  @ArrayMaxSize(20)
  @Matches(WITHOUT_NUL, { each: true, ...noNul })
  tag?: string[];

  @ApiPropertyOptional({ description: 'Only adapters of at least this rank.', type: Number })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_RANK)
  minRank?: number;

  @ApiPropertyOptional({ description: 'Only adapters of at most this rank.', type: Number })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_RANK)
  maxRank?: number;

  @ApiPropertyOptional({ description: 'Only adapters that change this kind of module, e.g. q_proj; repeatable.', type: [String] })
  @IsOptional()
  @Transform(toList)
  @IsString({ each: true })
  @MaxLength(200, { each: true })
  @ArrayMaxSize(20)
  @Matches(WITHOUT_NUL, { each: true, ...noNul })
  targetModule?: string[];

  @ApiPropertyOptional({ description: 'Only adapters of this PEFT type, e.g. LORA.' })
  @IsOptional()
  @IsString()
  @MaxLength(100)
  @Matches(WITHOUT_NUL, noNul)
  peftType?: string;

  @ApiPropertyOptional({ enum: KINDS })
  @IsOptional()
  @IsIn(KINDS)
  kind?: (typeof KINDS)[number];

  @ApiPropertyOptional({ description: 'Only what has an evaluation of this name; each item then carries its exact match.' })
  @IsOptional()
  @IsString()
  @MaxLength(100)
  @Matches(WITHOUT_NUL, noNul)
  evaluated?: string;

  @ApiPropertyOptional({ description: 'With `evaluated`: only with at least this exact match.', minimum: 0, maximum: 1, type: Number })
  @IsOptional()
  @Type(() => Number)
  @IsNumber()
  @Min(0)
  @Max(1)
  minExactMatch?: number;

  @ApiPropertyOptional({ description: 'Items of a page.', default: 20, minimum: 1, maximum: 100, type: Number })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit?: number;

  @ApiPropertyOptional({ description: 'The `next` of the page before.' })
  @IsOptional()
  @IsString()
  @MaxLength(1000)
  after?: string;
}

/** One repository, by its latest version. Fields of adapters alone are null for compositions. */
export class SearchItem {
  @ApiProperty({ example: 'org/name' }) name: string;
  @ApiProperty({ enum: KINDS }) kind: (typeof KINDS)[number];
  @ApiProperty({ example: '1.0.0' }) version: string;
  @ApiProperty({ description: 'The base model.' }) base: string;
  @ApiProperty() description: string;
  @ApiProperty({ type: [String] }) tags: string[];
  @ApiProperty({ type: String, nullable: true }) peftType: string | null;
  @ApiProperty({ type: Number, nullable: true }) rank: number | null;
  @ApiProperty({ type: Number, nullable: true }) alpha: number | null;
  @ApiProperty({ type: Boolean, nullable: true }) useRslora: boolean | null;
  @ApiProperty({ type: [String] }) targetModules: string[];
  @ApiProperty({ type: Number, nullable: true }) parameterCount: number | null;
  @ApiProperty({ type: Number, nullable: true }) sizeBytes: number | null;
  @ApiProperty() digest: string;
  @ApiProperty({ format: 'date-time', type: String }) createdAt: Date;
  @ApiProperty({ description: 'How well the words fit; 0 without words.' }) score: number;
  @ApiProperty({ type: Number, nullable: true, description: 'Of the evaluation that was asked for, 0…1.' }) exactMatch: number | null;
}

export class FacetValue {
  @ApiProperty({ oneOf: [{ type: 'string' }, { type: 'number' }] }) value: string | number;
  @ApiProperty({ description: 'Items found that have the value.' }) count: number;
}

/** Per field, its values among everything that was found, most frequent first, at most 50. */
export class SearchFacets {
  @ApiProperty({ type: [FacetValue] }) kind: FacetValue[];
  @ApiProperty({ type: [FacetValue] }) base: FacetValue[];
  @ApiProperty({ type: [FacetValue] }) tags: FacetValue[];
  @ApiProperty({ type: [FacetValue] }) rank: FacetValue[];
  @ApiProperty({ type: [FacetValue] }) targetModules: FacetValue[];
  @ApiProperty({ type: [FacetValue] }) peftType: FacetValue[];
  @ApiProperty({ type: [FacetValue], description: 'Names of finished evaluations.' }) evaluation: FacetValue[];
}

export class SearchResult {
  @ApiProperty({ type: [SearchItem], description: 'Best first; equally good ones by name.' }) items: SearchItem[];
  @ApiProperty({ description: 'Items on all pages.' }) total: number;
  @ApiProperty() facets: SearchFacets;
  @ApiProperty({ type: String, nullable: true, description: 'Send it as `after` for the next page; null on the last.' }) next:
    string | null;
}
