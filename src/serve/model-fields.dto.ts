// Which model a request means: a name, and the ways of putting adapters on a base model for this request alone.
import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { type Space, SPACES } from '#src/registry/composition-version.entity.js';
import { IsMixture } from '#src/serve/field-validators.js';

const MAX_MIXTURE_PARTS = 64;
/** The runtime's own bound; compositions use ±1.5. */
const MAX_WEIGHT = 1e4;
const MAX_NAME_LENGTH = 256;

export class MixturePartDto {
  @ApiProperty({ example: 'words/make-upper@1.0.0', description: 'An adapter of the base model: ns/name or ns/name@version' })
  @IsString()
  @MaxLength(MAX_NAME_LENGTH)
  adapter: string;

  @ApiProperty({ example: 0.5, description: 'wᵢ; 0 leaves the adapter out' })
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(-MAX_WEIGHT)
  @Max(MAX_WEIGHT)
  weight: number;
}

export class SpacedMixtureDto {
  @ApiProperty({ enum: SPACES, description: 'delta: W₀ + Σ wᵢ·sᵢ·BᵢAᵢ; factor: W₀ + (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ), for adapters of one shape' })
  @IsIn(SPACES)
  space: Space;

  @ApiProperty({ type: [MixturePartDto], minItems: 1, maxItems: MAX_MIXTURE_PARTS })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_MIXTURE_PARTS)
  @ValidateNested({ each: true })
  @Type(() => MixturePartDto)
  parts: MixturePartDto[];
}

/** LoRAX's. What it takes for other strategies alone (density, majority_sign_method) says nothing to a linear one. */
export class MergedAdaptersDto {
  @ApiProperty({ type: [String], minItems: 1, maxItems: MAX_MIXTURE_PARTS, example: ['words/make-upper', 'words/pick-last'] })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_MIXTURE_PARTS)
  @IsString({ each: true })
  @MaxLength(MAX_NAME_LENGTH, { each: true })
  ids: string[];

  @ApiProperty({ type: [Number], example: [0.8, 0.6], description: 'One per id, used as they are' })
  @IsArray()
  @ArrayMaxSize(MAX_MIXTURE_PARTS)
  @IsNumber({ allowNaN: false, allowInfinity: false }, { each: true })
  @Min(-MAX_WEIGHT, { each: true })
  @Max(MAX_WEIGHT, { each: true })
  weights: number[];

  @ApiPropertyOptional({ type: 'string', nullable: true, default: 'linear', description: 'linear; others are refused' })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_NAME_LENGTH)
  merge_strategy?: string | null;

  @ApiPropertyOptional({
    type: 'string',
    // In OpenAPI 3.0 an enum holds null only where it lists it.
    enum: [...SPACES, null],
    nullable: true,
    default: 'factor',
    description: "Braid's own. delta (the default) adds what the adapters change; factor adds weighted Aᵢ and Bᵢ apart, as LoRAX does",
  })
  @IsOptional()
  @IsIn(SPACES)
  space?: Space | null;
}

/** llama.cpp's, whose ids are numbers of files on its command line; here an adapter's name is its id. */
export class LoraScaleDto {
  @ApiProperty({ type: 'string', example: 'words/make-upper', description: 'As GET /lora-adapters lists it' })
  @IsString({ message: "$property must be an adapter's name, as GET /lora-adapters lists it" })
  @MaxLength(MAX_NAME_LENGTH)
  id: string;

  @ApiProperty({ example: 0.5, description: 'wᵢ of delta space; 0 leaves the adapter out' })
  @IsNumber({ allowNaN: false, allowInfinity: false })
  @Min(-MAX_WEIGHT)
  @Max(MAX_WEIGHT)
  scale: number;
}

@ApiExtraModels(MixturePartDto, SpacedMixtureDto)
export class ModelFieldsDto {
  @ApiProperty({ example: 'braid/tiny-words', description: 'A base model, ns/adapter[@version] or ns/composition[@version]' })
  @IsString()
  @MaxLength(MAX_NAME_LENGTH)
  model: string;

  @ApiPropertyOptional({
    oneOf: [
      { type: 'array', items: { $ref: getSchemaPath(MixturePartDto) }, minItems: 1, maxItems: MAX_MIXTURE_PARTS },
      { $ref: getSchemaPath(SpacedMixtureDto) },
    ],
    nullable: true,
    description: 'Adapters to put on the base model named by model, for this request alone; a list is meant in delta space',
  })
  @IsOptional()
  @IsMixture(MAX_MIXTURE_PARTS)
  @ValidateNested()
  @Type((field) => (Array.isArray(field?.object['mixture']) ? MixturePartDto : SpacedMixtureDto))
  mixture?: MixturePartDto[] | SpacedMixtureDto | null;

  @ApiPropertyOptional({
    type: 'string',
    nullable: true,
    description: "LoRAX's: an adapter or composition to put on the base model named by model",
  })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_NAME_LENGTH)
  adapter_id?: string | null;

  @ApiPropertyOptional({ type: 'string', nullable: true, default: 'hub', description: "LoRAX's: hub, which is this hub" })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_NAME_LENGTH)
  adapter_source?: string | null;

  @ApiPropertyOptional({
    type: MergedAdaptersDto,
    nullable: true,
    description: "LoRAX's: adapters to put on the base model named by model",
  })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => MergedAdaptersDto)
  merged_adapters?: MergedAdaptersDto | null;

  @ApiPropertyOptional({
    type: [LoraScaleDto],
    maxItems: MAX_MIXTURE_PARTS,
    nullable: true,
    description: "llama.cpp's: adapters to put on the base model named by model",
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_MIXTURE_PARTS)
  @ValidateNested({ each: true })
  @Type(() => LoraScaleDto)
  lora?: LoraScaleDto[] | null;
}
