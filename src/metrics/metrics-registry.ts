// The hub's own collection of metrics: the process's come with it, those of rooms are made in it.
import { Inject, Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { LabelCap } from './label-cap.js';

@Injectable()
export class MetricsRegistry extends Registry {
  /** Of label `model_name`. */
  readonly models: LabelCap;
  /** Of label `adapter`. */
  readonly adapters: LabelCap;

  constructor(@Inject(CONFIGURATION) { metrics, metricsMaxLabels }: Configuration) {
    super();
    this.models = new LabelCap(metricsMaxLabels);
    this.adapters = new LabelCap(metricsMaxLabels);
    if (metrics) collectDefaultMetrics({ register: this });
  }
}
