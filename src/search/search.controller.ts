// GET /api/search, POST /api/search/like.
import { Body, Controller, Get, HttpCode, HttpStatus, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { LikeSearchService } from './like-search.service.js';
import { LikeSearchRequest, LikeSearchResult } from './like-search.dto.js';
import { SearchQuery, SearchResult } from './search.dto.js';
import { SearchService } from './search.service.js';

@ApiTags('search')
@Controller('api/search')
export class SearchController {
  constructor(
    private readonly searchService: SearchService,
    private readonly likeSearch: LikeSearchService,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Find adapters and compositions by words and traits' })
  @ApiOkResponse({ type: SearchResult })
  search(@Query() query: SearchQuery): Promise<SearchResult> {
    return this.searchService.search(query);
  }

  @Post('like')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Find adapters whose task is like that of an adapter, or of a few examples' })
  @ApiOkResponse({ type: LikeSearchResult })
  searchLike(@Body() request: LikeSearchRequest): Promise<LikeSearchResult> {
    return this.likeSearch.search(request);
  }
}
