// What the routes of spectra take.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsArray, IsIn, IsOptional, IsString, Length } from 'class-validator';
import { LINEAR_CLASSES, type LinearClass } from '#kernels/lora/modules.js';

class TargetQuery {
  @ApiPropertyOptional({ enum: LINEAR_CLASSES, isArray: true, description: 'Only modules of these classes; may be repeated.' })
  @IsOptional()
  // A query that names one is a text.
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value))
  @IsArray()
  @IsIn(LINEAR_CLASSES, { each: true })
  readonly target?: LinearClass[];
}

export class InspectQuery extends TargetQuery {
  @ApiProperty({ example: 'me/reverse@1.0.0', description: 'ns/adapter[@version] or ns/composition[@version].' })
  @IsString()
  @Length(1, 240)
  readonly model: string;
}

export class CompareQuery extends TargetQuery {
  @ApiProperty({ example: 'me/reverse@1.0.0', description: 'ns/adapter[@version] or ns/composition[@version].' })
  @IsString()
  @Length(1, 240)
  readonly first: string;

  @ApiProperty({ example: 'me/upper', description: 'Another of the same base model.' })
  @IsString()
  @Length(1, 240)
  readonly second: string;
}
