// Routes of composition jobs and of the compositions that come out of them.
import { Body, Controller, Get, Headers, HttpCode, type MessageEvent, Param, Post, Query, Res, Sse } from '@nestjs/common';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Observable } from 'rxjs';
import { ComposeRequest, ListJobsQuery, RecomposeRequest } from './compose.dto.js';
import { ComposeService } from './compose.service.js';
import { CompositionJobView, CompositionView, JobListView } from './compose.views.js';
import { JobViews } from './jobs/job-views.service.js';
import { RecomposeService } from './recompose.service.js';
import { PAGE_HEADERS } from './report-page/policy.js';
import { ReportPageService } from './report-page.service.js';

@ApiTags('compositions')
@Controller('api/compositions')
export class ComposeController {
  constructor(
    private readonly compose: ComposeService,
    private readonly jobs: JobViews,
    private readonly recomposer: RecomposeService,
    private readonly reports: ReportPageService,
  ) {}

  @Post('jobs')
  @HttpCode(202)
  @ApiOperation({ summary: 'Search the weights of a composition; the answer names the job.' })
  @ApiAcceptedResponse({ schema: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } })
  createJob(@Body() request: ComposeRequest): Promise<{ readonly id: string }> {
    return this.compose.createJob(request);
  }

  @Get('jobs')
  @ApiOperation({ summary: 'Jobs, newest first, page by page; ended ones are kept for BRAID_RETENTION_DAYS.' })
  @ApiOkResponse({ type: JobListView })
  listJobs(@Query() query: ListJobsQuery): Promise<JobListView> {
    return this.jobs.listJobs(query);
  }

  @Get('jobs/:id')
  @ApiOperation({ summary: 'A job and, when it succeeded, its composition.' })
  @ApiOkResponse({ type: CompositionJobView })
  getJob(@Param('id') id: string): Promise<CompositionJobView> {
    return this.jobs.getJob(id);
  }

  @Sse('jobs/:id/events')
  @ApiOperation({ summary: 'Server-sent events: progress now, at every improvement and change, then done, failed or cancelled.' })
  @ApiHeader({ name: 'last-event-id', required: false, description: 'The id of the last event seen: improvements after it come first.' })
  @ApiProduces('text/event-stream')
  followJob(@Param('id') id: string, @Headers('last-event-id') lastEventId?: string): Promise<Observable<MessageEvent>> {
    return this.jobs.followJob(id, lastEventId);
  }

  @Post('jobs/:id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Stop a job; one that runs stops within one batch of evaluations.' })
  @ApiOkResponse({ type: CompositionJobView })
  cancelJob(@Param('id') id: string): Promise<CompositionJobView> {
    return this.jobs.cancelJob(id);
  }

  @Post(':namespace/:name/recompose')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Compose the latest version again, on the same examples, from the newest versions of its candidates, starting at its weights.',
  })
  @ApiAcceptedResponse({ schema: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } })
  recompose(
    @Param('namespace') namespace: string,
    @Param('name') name: string,
    @Body() request: RecomposeRequest,
  ): Promise<{ readonly id: string }> {
    return this.recomposer.recompose(`${namespace}/${name}`, request);
  }

  @Get(':namespace/:name')
  @ApiOperation({ summary: 'A composition with its parts, recipe and report.' })
  @ApiQuery({ name: 'version', required: false, description: 'The latest without it.' })
  @ApiOkResponse({ type: CompositionView })
  getComposition(
    @Param('namespace') namespace: string,
    @Param('name') name: string,
    @Query('version') version?: string,
  ): Promise<CompositionView> {
    return this.jobs.getComposition(`${namespace}/${name}`, version);
  }

  @Get(':namespace/:name/report')
  @ApiOperation({ summary: 'The report of a composition as one self-contained page of HTML.' })
  @ApiQuery({ name: 'version', required: false, description: 'The latest without it.' })
  @ApiProduces('text/html')
  @ApiOkResponse({ schema: { type: 'string' } })
  async getReport(
    @Param('namespace') namespace: string,
    @Param('name') name: string,
    @Res({ passthrough: true }) response: Response,
    @Query('version') version?: string,
  ): Promise<string> {
    const page = await this.reports.getPage(`${namespace}/${name}`, version);
    // Not before: a refusal is JSON.
    response.set(PAGE_HEADERS);
    return page;
  }
}
