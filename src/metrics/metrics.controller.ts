// GET /metrics for Prometheus, GET /api/stats for people; open, as the probes are.
import { Controller, Get, Header, Inject } from '@nestjs/common';
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
  @Header('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE)
  @ApiOperation({ summary: "Prometheus' text format, answers under vLLM's names" })
  @ApiProduces('text/plain')
  renderMetrics(): Promise<string> {
    this.assertOn();
    return this.metrics.render();
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
