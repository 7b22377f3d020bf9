// GET /api/search.
import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { SearchQuery, SearchResult } from './search.dto.js';
import { SearchService } from './search.service.js';

@ApiTags('search')
@Controller('api/search')
export class SearchController {
  constructor(private readonly searchService: SearchService) {}

  @Get()
  @ApiOperation({ summary: 'Find adapters and compositions by words and traits' })
  @ApiOkResponse({ type: SearchResult })
  search(@Query() query: SearchQuery): Promise<SearchResult> {
    return this.searchService.search(query);
  }
}
