// What the routes of adapters and repositories answer.
import { ApiProperty } from '@nestjs/swagger';
import { type AdapterVersion, type VersionFile } from '#src/registry/adapter-version.entity.js';
import { type LatestVersion } from '#src/registry/registry.service.js';

export class AdapterFileView {
  @ApiProperty({ example: 'adapter_model.safetensors' })
  readonly path: string;
  @ApiProperty()
  readonly sizeBytes: number;
  @ApiProperty()
  readonly digest: string;
}

export class AdapterBaseView {
  @ApiProperty({ example: 'HuggingFaceTB/SmolLM2-135M-Instruct' })
  readonly name: string;
  @ApiProperty()
  readonly digest: string;
}

/** One version of an adapter. */
export class AdapterView {
  @ApiProperty({ example: 'me/antonyms' })
  readonly name: string;
  @ApiProperty({ example: '1.0.0' })
  readonly version: string;
  @ApiProperty({ description: 'Whether the bare name means this version.' })
  readonly isLatest: boolean;
  @ApiProperty({ type: [String], description: 'All versions of the adapter, highest first.' })
  readonly versions: readonly string[];
  @ApiProperty({ type: AdapterBaseView })
  readonly baseModel: AdapterBaseView;
  @ApiProperty({ description: 'Of what the adapter computes: saving the same adapter again gives the same.' })
  readonly digest: string;
  @ApiProperty({ example: 'LORA' })
  readonly peftType: string;
  @ApiProperty({ description: "The largest of its modules' ranks." })
  readonly rank: number;
  @ApiProperty({ description: 'lora_alpha, where alpha_pattern says nothing else.' })
  readonly alpha: number;
  @ApiProperty({ description: 'The scale is alpha/√r instead of alpha/r.' })
  readonly useRslora: boolean;
  @ApiProperty({ type: [String], example: ['q_proj', 'v_proj'] })
  readonly targetModules: readonly string[];
  @ApiProperty()
  readonly parameterCount: number;
  @ApiProperty({ description: 'Of adapter_model.safetensors.' })
  readonly sizeBytes: number;
  @ApiProperty()
  readonly description: string;
  @ApiProperty({ type: [String] })
  readonly tags: readonly string[];
  @ApiProperty({ description: 'README.md' })
  readonly card: string;
  @ApiProperty({ type: [AdapterFileView] })
  readonly files: readonly VersionFile[];
  @ApiProperty({ type: String, nullable: true, description: 'Of examples.jsonl; null without one.' })
  readonly examplesDigest: string | null;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'What was measured on the model before the version became visible: {tokens, maxDeviation, maxEffect, baseLogprob, adapterLogprob, delta}.',
  })
  readonly verification: Readonly<Record<string, unknown>>;
  @ApiProperty({ type: 'object', additionalProperties: true, description: 'adapter_config.json' })
  readonly adapterConfig: Readonly<Record<string, unknown>>;
  @ApiProperty({ format: 'date-time' })
  readonly createdAt: string;
}

export class PublishedAdapterView extends AdapterView {
  @ApiProperty({ type: [String], description: 'What the publisher should know although nothing is wrong.' })
  readonly warnings: readonly string[];
}

export class RepositoryView {
  @ApiProperty({ example: 'me/antonyms' })
  readonly name: string;
  @ApiProperty({ enum: ['adapter', 'composition'] })
  readonly kind: string;
  @ApiProperty({ description: 'Name of the base model.' })
  readonly baseModel: string;
  @ApiProperty({ description: 'The version that the bare name means.' })
  readonly version: string;
  @ApiProperty({ format: 'date-time', description: 'When its first version was published.' })
  readonly createdAt: string;
}

export class RepositoryListView {
  @ApiProperty({ type: [RepositoryView], description: 'By name.' })
  readonly items: readonly RepositoryView[];
  @ApiProperty({ type: String, nullable: true, description: 'Give it as `after` for the next page; null on the last one.' })
  readonly next: string | null;
}

/** @param versions all versions of the adapter, highest first */
export function createAdapterView(row: AdapterVersion, versions: readonly string[]): AdapterView {
  const { fullName, baseModel } = row.repository;
  return {
    name: fullName,
    version: row.version,
    isLatest: row.isLatest,
    versions,
    baseModel: { name: baseModel.name, digest: baseModel.digest },
    digest: row.digest,
    peftType: row.peftType,
    rank: row.rank,
    alpha: row.alpha,
    useRslora: row.useRslora,
    targetModules: row.targetModules,
    parameterCount: row.parameterCount,
    sizeBytes: row.sizeBytes,
    description: row.description,
    tags: row.tags,
    card: row.card,
    files: row.files,
    examplesDigest: row.examplesDigest,
    verification: row.verification,
    adapterConfig: row.adapterConfig,
    createdAt: row.createdAt.toISOString(),
  };
}

export function createRepositoryView({ repository, version }: LatestVersion): RepositoryView {
  const { fullName, kind, baseModel, createdAt } = repository;
  return { name: fullName, kind, baseModel: baseModel.name, version, createdAt: createdAt.toISOString() };
}
