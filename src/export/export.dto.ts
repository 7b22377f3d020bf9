// What the routes of exports take and answer.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { MAX_RANK } from '#src/peft/config-fields.js';
import { type ExportFormat, FORMAT_NAMES } from './formats.js';

export class ExportParameters {
  @ApiProperty({ example: 'me' })
  @IsString()
  @Length(1, 200)
  readonly namespace: string;

  @ApiProperty({ example: 'antonyms', description: 'Of an adapter or a composition.' })
  @IsString()
  @Length(1, 200)
  readonly name: string;

  @ApiProperty({ enum: FORMAT_NAMES })
  @IsIn(FORMAT_NAMES)
  readonly format: ExportFormat;
}

export class ExportFileParameters extends ExportParameters {
  @ApiProperty({ example: 'adapter_model.safetensors', description: 'One of the names that the export lists.' })
  @IsString()
  @Length(1, 255)
  readonly file: string;
}

export class ExportQuery {
  @ApiPropertyOptional({ example: '1.2.0', description: 'Without it the latest.' })
  @IsOptional()
  @IsString()
  @Length(1, 100)
  readonly version?: string;

  @ApiPropertyOptional({
    minimum: 1,
    maximum: MAX_RANK,
    description: 'Modules of a greater rank are cut to it by singular values; of peft and gguf alone.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_RANK)
  readonly rank?: number;
}

export class ExportFileView {
  @ApiProperty({ example: 'adapter_model.safetensors' })
  readonly name: string;
  @ApiProperty()
  readonly sizeBytes: number;
}

export class ModuleCutView {
  @ApiProperty({ example: 'model.layers.0.self_attn.q_proj' })
  readonly module: string;
  @ApiProperty()
  readonly rankBefore: number;
  @ApiProperty()
  readonly rank: number;
  @ApiProperty({ description: '‖ΔW − ΔW′‖ / ‖ΔW‖ in the Frobenius norm.' })
  readonly error: number;
}

export class RankCutView {
  @ApiProperty({ description: 'The rank asked for.' })
  readonly rank: number;
  @ApiProperty({ description: '‖ΔW − ΔW′‖ / ‖ΔW‖ in the Frobenius norm, over all modules together.' })
  readonly error: number;
  @ApiProperty({ type: [ModuleCutView] })
  readonly modules: readonly ModuleCutView[];
}

export class ExportView {
  @ApiProperty({ example: 'me/antonyms' })
  readonly name: string;
  @ApiProperty({ example: '1.0.0', description: 'Ask for the files with it: a bare name may come to mean another version meanwhile.' })
  readonly version: string;
  @ApiProperty({ enum: ['adapter', 'composition'] })
  readonly kind: 'adapter' | 'composition';
  @ApiProperty({ example: 'HuggingFaceTB/SmolLM2-135M-Instruct' })
  readonly baseModel: string;
  @ApiProperty({ enum: FORMAT_NAMES })
  readonly format: ExportFormat;
  @ApiProperty({ type: [ExportFileView] })
  readonly files: readonly ExportFileView[];
  @ApiProperty({ type: RankCutView, nullable: true, description: 'What cutting to a rank lost; null without a rank.' })
  readonly cut: RankCutView | null;
  @ApiProperty({ type: [String], description: 'What the export cannot hold.' })
  readonly warnings: readonly string[];
}
