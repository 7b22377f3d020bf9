// Where generations are announced, and which of them are under way: what counts, logs and traces them looks on from here.
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { currentRequest, type RequestContext } from '#src/http/request-context.js';
import { ObservedGeneration } from './observed-generation.js';
import { RecentRows } from './recent-rows.js';
import { RowMetrics } from './row-metrics.js';
import type { RowSink } from './observed-row.js';

@Injectable()
export class GenerationWatcher {
  private readonly open = new Set<ObservedGeneration>();
  private readonly ofRequests = new WeakMap<RequestContext, ObservedGeneration[]>();
  private readonly sinks: readonly RowSink[];

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    metrics: RowMetrics,
    recent: RecentRows,
  ) {
    this.sinks = configuration.metrics ? [metrics, recent] : [];
  }

  /** Whether the log may have what was asked and answered. */
  get keepsTexts(): boolean {
    return this.configuration.logPrompts;
  }

  /** A model is asked. @param model as the request wrote it */
  announce(model: string): ObservedGeneration {
    const context = currentRequest();
    const { requestId, arrivedAtMs } = context ?? { requestId: randomUUID(), arrivedAtMs: performance.now() };
    const generation = new ObservedGeneration({ requestId, model, arrivedAtMs }, this.sinks);
    if (context !== undefined) {
      const before = this.ofRequests.get(context);
      if (before === undefined) this.ofRequests.set(context, [generation]);
      else before.push(generation);
    }
    return generation;
  }

  /** Passes the pieces of its answers on; meanwhile it is among those under way. @param signal of the client */
  async *follow<Piece>(
    generation: ObservedGeneration,
    pieces: AsyncIterable<Piece>,
    signal: AbortSignal,
  ): AsyncGenerator<Piece, void, undefined> {
    this.open.add(generation);
    try {
      yield* pieces;
    } catch (error) {
      generation.fail(error);
      throw error;
    } finally {
      this.open.delete(generation);
      generation.close(signal.aborted);
    }
  }

  /** Under way, the oldest first. */
  get underWay(): readonly ObservedGeneration[] {
    return [...this.open];
  }

  /** What a request has asked. */
  generationsOf(context: RequestContext): readonly ObservedGeneration[] {
    return this.ofRequests.get(context) ?? [];
  }
}
