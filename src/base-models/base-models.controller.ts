// Routes of base models. The first one reads local paths: it is meant for the operator, and a hub that strangers reach must not let it through.
import { Body, Controller, Get, HttpStatus, Param, Post, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Response } from 'express';
import { parseRepoName } from '#src/ids/ids.js';
import { AddBaseModelRequest, BaseModelListView, BaseModelView, createBaseModelView } from './base-models.dto.js';
import { BaseModelsService } from './base-models.service.js';

@ApiTags('base models')
@Controller('api/base-models')
export class BaseModelsController {
  constructor(private readonly baseModels: BaseModelsService) {}

  @Post()
  @ApiOperation({
    summary: 'Register a model directory',
    description:
      'Reads a directory on the machine of the hub, without copying or converting it, and answers when all weights are read. For the operator: keep this route from strangers.',
  })
  @ApiCreatedResponse({ type: BaseModelView, description: 'Registered' })
  @ApiOkResponse({ type: BaseModelView, description: 'The same model was registered under this name already' })
  async add(@Body() request: AddBaseModelRequest, @Res({ passthrough: true }) response: Response): Promise<BaseModelView> {
    const { baseModel, created } = await this.baseModels.add({ directory: request.directory, name: parseRepoName(request.name) });
    response.status(created ? HttpStatus.CREATED : HttpStatus.OK);
    return createBaseModelView(baseModel);
  }

  @Get()
  @ApiOperation({ summary: 'All base models' })
  @ApiOkResponse({ type: BaseModelListView })
  async list(): Promise<BaseModelListView> {
    const models = await this.baseModels.list();
    return { items: models.map(createBaseModelView) };
  }

  @Get(':namespace/:name')
  @ApiOperation({ summary: 'One base model' })
  @ApiOkResponse({ type: BaseModelView })
  async get(@Param('namespace') namespace: string, @Param('name') name: string): Promise<BaseModelView> {
    return createBaseModelView(await this.baseModels.get(parseRepoName(`${namespace}/${name}`)));
  }

  @Get(':namespace/:name/config')
  @ApiOperation({ summary: 'config.json of a base model, as it was registered' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  async getConfig(@Param('namespace') namespace: string, @Param('name') name: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.baseModels.get(parseRepoName(`${namespace}/${name}`))).config;
  }
}
