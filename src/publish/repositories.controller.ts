// The list of everything that was published, adapters and compositions.
import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { parseRepoName } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { ListRepositoriesQuery } from './publish.dto.js';
import { createRepositoryView, RepositoryListView } from './publish.views.js';

const DEFAULT_LIMIT = 100;

@ApiTags('repositories')
@Controller('api/repositories')
export class RepositoriesController {
  constructor(private readonly registry: RegistryService) {}

  @Get()
  @ApiOperation({ summary: 'Adapters and compositions, by name, page by page' })
  @ApiOkResponse({ type: RepositoryListView })
  async list(@Query() { kind, base, limit = DEFAULT_LIMIT, after }: ListRepositoriesQuery): Promise<RepositoryListView> {
    const baseModel = base === undefined ? undefined : (await this.registry.getBaseModel(parseRepoName(base))).name;
    const found = await this.registry.listLatestVersions({ kind, baseModel, limit, after });
    const items = found.map(createRepositoryView);
    return { items, next: items.length < limit ? null : (items.at(-1)?.name ?? null) };
  }
}
