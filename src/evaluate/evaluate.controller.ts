// Routes of evaluations.
import { Body, Controller, Get, HttpCode, type MessageEvent, Param, Post, Query, Sse } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { EvaluateRequest, EvaluationListQuery } from './evaluate.dto.js';
import { EvaluateService } from './evaluate.service.js';
import { EvaluationDifferenceView, EvaluationListView, EvaluationView } from './evaluate.views.js';

@ApiTags('evaluations')
@Controller('api/evaluations')
export class EvaluateController {
  constructor(private readonly evaluations: EvaluateService) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({ summary: 'Measure a model on examples. The same request for the same version is the same evaluation.' })
  @ApiAcceptedResponse({ type: EvaluationView })
  create(@Body() request: EvaluateRequest): Promise<EvaluationView> {
    return this.evaluations.create(request);
  }

  @Get()
  @ApiOperation({ summary: 'The newest finished evaluation of each name of a model.' })
  @ApiOkResponse({ type: EvaluationListView })
  list(@Query() { model }: EvaluationListQuery): Promise<EvaluationListView> {
    return this.evaluations.list(model);
  }

  @Get(':id')
  @ApiOperation({ summary: 'An evaluation and, when it succeeded, its result.' })
  @ApiOkResponse({ type: EvaluationView })
  get(@Param('id') id: string): Promise<EvaluationView> {
    return this.evaluations.get(id);
  }

  @Sse(':id/events')
  @ApiOperation({ summary: 'Server-sent events: progress now and at every change, then done, failed or cancelled.' })
  @ApiProduces('text/event-stream')
  follow(@Param('id') id: string): Promise<Observable<MessageEvent>> {
    return this.evaluations.follow(id);
  }

  @Get(':first/difference/:second')
  @ApiOperation({ summary: 'The second minus the first, paired by example, with bootstrap intervals.' })
  @ApiOkResponse({ type: EvaluationDifferenceView })
  compare(@Param('first') first: string, @Param('second') second: string): Promise<EvaluationDifferenceView> {
    return this.evaluations.compare(first, second);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Stop an evaluation; the examples that are done stay done.' })
  @ApiOkResponse({ type: EvaluationView })
  cancel(@Param('id') id: string): Promise<EvaluationView> {
    return this.evaluations.cancel(id);
  }
}
