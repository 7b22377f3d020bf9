// Routes of exports: what an export holds, and each of its files.
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Controller, Get, Logger, Param, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { type Response } from 'express';
import { parseRepoName, parseVersion } from '#src/ids/ids.js';
import { ExportFileParameters, ExportParameters, ExportQuery, ExportView } from './export.dto.js';
import { type ExportRequest, ExportService, type PreparedExport } from './export.service.js';

@ApiTags('exports')
@Controller('api/exports')
export class ExportController {
  private readonly logger = new Logger('export');

  constructor(private readonly exports: ExportService) {}

  @Get(':namespace/:name/:format')
  @ApiOperation({
    summary: 'The files of an adapter or composition in another format',
    description: 'Names and sizes; each file has a route of its own below this one.',
  })
  @ApiOkResponse({ type: ExportView })
  async describe(@Param() parameters: ExportParameters, @Query() query: ExportQuery): Promise<ExportView> {
    return createExportView(await this.exports.prepare(requestOf(parameters, query)));
  }

  @Get(':namespace/:name/:format/:file')
  @ApiOperation({ summary: 'One file of an export, made as it is sent' })
  @ApiProduces('application/octet-stream')
  @ApiOkResponse({ schema: { type: 'string', format: 'binary' } })
  async download(@Param() parameters: ExportFileParameters, @Query() query: ExportQuery, @Res() response: Response): Promise<void> {
    const file = await this.exports.getFile(requestOf(parameters, query), parameters.file);
    response.set({
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(file.sizeBytes),
      'Content-Disposition': `attachment; filename="${file.name}"`,
    });
    try {
      await pipeline(Readable.from(file.read(), { objectMode: false }), response);
    } catch (error) {
      // A client that has gone away is no fault; anything else cuts the answer short, so that only the log can say why.
      if (error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
      this.logger.error(`${file.name} of an export was cut short`, { err: error });
      throw error;
    }
  }
}

function requestOf({ namespace, name, format }: ExportParameters, { version, rank }: ExportQuery): ExportRequest {
  const model = { name: parseRepoName(`${namespace}/${name}`), version: version === undefined ? undefined : parseVersion(version) };
  return { model, format, rank };
}

function createExportView({ model, format, files, cut, prompt }: PreparedExport): ExportView {
  const { repository, version } = model.version;
  const promptWarning = `It was composed for requests that begin with its own examples (${prompt?.examples.length}), which ${
    format === 'gguf' ? 'a GGUF file does not hold' : 'are in prompt.jsonl and must be put there by whoever runs it'
  }.`;
  return {
    name: repository.fullName,
    version,
    kind: model.kind,
    baseModel: model.baseModel.name,
    format,
    files: files.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    cut: cut ?? null,
    warnings: prompt === null ? [] : [promptWarning],
  };
}
