// Routes of composition jobs and of the compositions that come out of them.
import { Body, Controller, Get, HttpCode, type MessageEvent, Param, Post, Query, Sse } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import { map, type Observable } from 'rxjs';
import { ComposeRequest } from './compose.dto.js';
import { ComposeService } from './compose.service.js';
import { CompositionJobView, CompositionView } from './compose.views.js';

@ApiTags('compositions')
@Controller('api/compositions')
export class ComposeController {
  constructor(private readonly compose: ComposeService) {}

  @Post('jobs')
  @HttpCode(202)
  @ApiOperation({ summary: 'Search the weights of a composition; the answer names the job.' })
  @ApiAcceptedResponse({ schema: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } })
  createJob(@Body() request: ComposeRequest): Promise<{ readonly id: string }> {
    return this.compose.createJob(request);
  }

  @Get('jobs/:id')
  @ApiOperation({ summary: 'A job and, when it succeeded, its composition.' })
  @ApiOkResponse({ type: CompositionJobView })
  getJob(@Param('id') id: string): Promise<CompositionJobView> {
    return this.compose.getJob(id);
  }

  @Sse('jobs/:id/events')
  @ApiOperation({ summary: 'Server-sent events: progress now and at every change, then done, failed or cancelled.' })
  @ApiProduces('text/event-stream')
  async followJob(@Param('id') id: string): Promise<Observable<MessageEvent>> {
    const events = await this.compose.followJob(id);
    return events.pipe(map((event) => (event === undefined ? { comment: 'still here' } : { type: event.type, data: event.data })));
  }

  @Post('jobs/:id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Stop a job; one that runs stops within one batch of evaluations.' })
  @ApiOkResponse({ type: CompositionJobView })
  cancelJob(@Param('id') id: string): Promise<CompositionJobView> {
    return this.compose.cancelJob(id);
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
    return this.compose.getComposition(`${namespace}/${name}`, version);
  }
}
