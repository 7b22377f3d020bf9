// Routes of spectra.
import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CompareQuery, InspectQuery } from './spectra.dto.js';
import { SpectraService } from './spectra.service.js';
import { OverlapView, SpectraView } from './spectra.views.js';

@ApiTags('spectra')
@Controller('api/spectra')
export class SpectraController {
  constructor(private readonly spectra: SpectraService) {}

  @Get()
  @ApiOperation({
    summary: 'Singular values, ranks and norms of an update, module by module',
    description: 'Computed from the stored factors; norms of the base are read from its files once. Takes seconds for large models.',
  })
  @ApiOkResponse({ type: SpectraView })
  inspect(@Query() query: InspectQuery): Promise<SpectraView> {
    return this.spectra.inspect(query);
  }

  @Get('overlap')
  @ApiOperation({ summary: 'How far two updates of one base go the same way: subspaces and cosines, module by module' })
  @ApiOkResponse({ type: OverlapView })
  compare(@Query() query: CompareQuery): Promise<OverlapView> {
    return this.spectra.compare(query);
  }
}
