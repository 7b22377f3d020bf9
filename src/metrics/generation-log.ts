// What a request's log line says of the models that it asked: names, tokens, times and ends; texts only where the hub is told to.
import { Injectable } from '@nestjs/common';
import type { EndedRequest, RequestObserver } from '#src/http/request-log.js';
import { GenerationWatcher } from './generation-watcher.js';
import type { ObservedGeneration } from './observed-generation.js';

@Injectable()
export class GenerationLog implements RequestObserver {
  constructor(private readonly watcher: GenerationWatcher) {}

  describe({ context }: EndedRequest): Readonly<Record<string, unknown>> {
    const generations = this.watcher.generationsOf(context);
    const [only] = generations;
    if (only === undefined) return {};
    return generations.length === 1 ? fieldsOf(only) : { compared: generations.map(fieldsOf) };
  }
}

function fieldsOf(generation: ObservedGeneration): Readonly<Record<string, unknown>> {
  const { start, served, plan, texts, errorCode, firstTokenMs, ends } = generation;
  return {
    model: start.model,
    ...(served !== undefined && { composition: served.fingerprint }),
    ...(plan !== undefined && { promptTokens: generation.promptTokens, completionTokens: generation.completionTokens }),
    ...(firstTokenMs !== undefined && { firstTokenMs: Math.round(firstTokenMs * 10) / 10 }),
    ...(ends.length > 0 && { finish: ends.join(',') }),
    ...(errorCode !== undefined && { error: errorCode }),
    ...texts,
  };
}
