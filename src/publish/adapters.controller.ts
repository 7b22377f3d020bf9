// Routes of adapters.
import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res, UploadedFiles, UseGuards, UseInterceptors } from '@nestjs/common';
import { AnyFilesInterceptor } from '@nestjs/platform-express';
import { ApiBody, ApiConsumes, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Response } from 'express';
import { parseRepoName, parseVersion } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { MultipartGuard } from './multipart.guard.js';
import { GetAdapterQuery, PublishAdapterRequest } from './publish.dto.js';
import { PublishService } from './publish.service.js';
import { AdapterView, createAdapterView, PublishedAdapterView } from './publish.views.js';
import { UploadInterruptionInterceptor } from './upload-interruption.interceptor.js';
import { ALLOWED_FILES, removeUploads, type UploadedFile } from './upload-storage.js';

@ApiTags('adapters')
@Controller('api/adapters')
export class AdaptersController {
  constructor(
    private readonly publishing: PublishService,
    private readonly registry: RegistryService,
  ) {}

  @Post()
  @UseGuards(MultipartGuard)
  @UseInterceptors(UploadInterruptionInterceptor, AnyFilesInterceptor())
  @ApiOperation({
    summary: 'Publish an adapter',
    description: `Send the folder that PEFT's save_pretrained writes, as parts with the files' own names: ${ALLOWED_FILES}. It is checked against the base model, stored, verified on the model, and then visible; it never changes afterwards.`,
  })
  @ApiConsumes('multipart/form-data')
  @ApiBody({
    schema: {
      type: 'object',
      required: ['name', 'base', 'file'],
      properties: {
        name: { type: 'string', example: 'me/antonyms' },
        base: { type: 'string', example: 'HuggingFaceTB/SmolLM2-135M-Instruct' },
        version: { type: 'string', example: '1.2.0' },
        tag: { type: 'array', items: { type: 'string' } },
        file: { type: 'array', items: { type: 'string', format: 'binary' }, description: 'The files, told apart by their names.' },
      },
    },
  })
  @ApiCreatedResponse({ type: PublishedAdapterView, description: 'Published' })
  @ApiOkResponse({ type: PublishedAdapterView, description: 'This very adapter was published under this name and version already' })
  async publish(
    @Body() request: PublishAdapterRequest,
    @UploadedFiles() files: UploadedFile[],
    @Res({ passthrough: true }) response: Response,
  ): Promise<PublishedAdapterView> {
    try {
      const { version, created, warnings } = await this.publishing.publish({
        name: parseRepoName(request.name),
        base: parseRepoName(request.base),
        version: request.version === undefined ? undefined : parseVersion(request.version),
        tags: request.tag ?? [],
        files,
      });
      const versions = await this.registry.listAdapterVersions(version.repository.fullName);
      response.status(created ? HttpStatus.CREATED : HttpStatus.OK);
      return {
        ...createAdapterView(
          version,
          versions.map((row) => row.version),
        ),
        warnings,
      };
    } finally {
      await removeUploads(files);
    }
  }

  @Get(':namespace/:name')
  @ApiOperation({ summary: 'One version of an adapter' })
  @ApiOkResponse({ type: AdapterView })
  async get(@Param('namespace') namespace: string, @Param('name') name: string, @Query() query: GetAdapterQuery): Promise<AdapterView> {
    const fullName = parseRepoName(`${namespace}/${name}`);
    const found = await this.registry.getAdapterVersion(fullName, query.version === undefined ? undefined : parseVersion(query.version));
    const versions = await this.registry.listAdapterVersions(fullName);
    return createAdapterView(
      found,
      versions.map((row) => row.version),
    );
  }
}
