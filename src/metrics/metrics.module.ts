// The hub seen from outside: what is counted of answers and requests, what is read of engines and jobs, and the routes that tell it.
import { Module } from '@nestjs/common';
import { ComposeModule } from '#src/compose/compose.module.js';
import { RegistryModule } from '#src/registry/registry.module.js';
import { GenerationLog } from './generation-log.js';
import { GenerationWatcher } from './generation-watcher.js';
import { HubState } from './hub-state.service.js';
import { HubStats } from './hub-stats.service.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsRegistry } from './metrics-registry.js';
import { RecentRows } from './recent-rows.js';
import { RequestMetrics } from './request-metrics.js';
import { RowMetrics } from './row-metrics.js';
import { StateMetrics } from './state-metrics.js';

@Module({
  imports: [RegistryModule, ComposeModule],
  controllers: [MetricsController],
  providers: [MetricsRegistry, RowMetrics, RecentRows, GenerationWatcher, GenerationLog, HubState, HubStats, StateMetrics, RequestMetrics],
  exports: [GenerationWatcher, GenerationLog, RequestMetrics],
})
export class MetricsModule {}
