// GET /metrics for Prometheus, GET /api/stats for people; open, as the probes are.
import type { ServerResponse } from 'node:http';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { Registry } from 'prom-client';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { HubStats } from './hub-stats.service.js';
import { HubStatsView } from './hub-stats.view.js';
import { failMetrics } from './metrics.errors.js';
import { StateMetrics } from './state-metrics.js';

@ApiTags('health')
@Controller()
export class MetricsController {
  constructor(
    private readonly metrics: StateMetrics,
    private readonly stats: HubStats,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  @Get('metrics')
  @ApiOperation({ summary: "Prometheus' text format, answers under vLLM's names" })
  @ApiProduces('text/plain')
  async renderMetrics(@Res({ passthrough: true }) response: ServerResponse): Promise<string> {
    this.assertOn();
    const text = await this.metrics.render();
    // Only now: an error has a type of its own.
    response.setHeader('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE);
    return text;
  }

  @Get('api/stats')
  @ApiOperation({ summary: 'What the hub is doing now: engines, answers under way, jobs' })
  @ApiOkResponse({ type: HubStatsView })
  readStats(): Promise<HubStatsView> {
    this.assertOn();
    return this.stats.read();
  }

  /** @throws BraidError METRICS_OFF */
  private assertOn(): void {
    if (!this.configuration.metrics) throw failMetrics('METRICS_OFF');
  }
}
