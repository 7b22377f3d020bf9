// The body of POST /v1/load_lora_adapter; names are vLLM's.
import { ApiProperty } from '@nestjs/swagger';
import { IsString, MaxLength } from 'class-validator';

/** Paths on other servers are longer than names. */
const MAX_PATH_LENGTH = 4096;

export class LoadLoraRequestDto {
  @ApiProperty({ example: 'words/make-upper', description: 'The name under which requests will ask for it: its own' })
  @IsString()
  @MaxLength(MAX_PATH_LENGTH)
  lora_name: string;

  @ApiProperty({ example: 'words/make-upper@1.0.0', description: 'A published adapter, ns/name[@version]; the hub opens no paths' })
  @IsString()
  @MaxLength(MAX_PATH_LENGTH)
  lora_path: string;
}
