// Runs evaluations of models: measures the examples that have no outcome yet, a few between two writes.
import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { WorkBroadcast } from '#src/work/work-broadcast.js';
import { type HeldWork, WorkAborted, WorkRunner } from '#src/work/work-runner.js';
import { failEvaluate } from './evaluate.errors.js';
import { EvaluationStore } from './evaluation.store.js';
import { type ExampleOutcome, type MeasureContext, measureExamples } from './measure-examples.js';
import type { ModelEvaluation } from './model-evaluation.entity.js';
import { type EvaluationResult, summarizeOutcomes } from './summarize-outcomes.js';

/** Examples measured between two writes: what a kill loses. */
const EXAMPLES_AT_A_TIME = 32;

@Injectable()
export class EvaluationRunner extends WorkRunner<ModelEvaluation, EvaluationResult> {
  constructor(
    store: EvaluationStore,
    broadcast: WorkBroadcast,
    tokenizers: TokenizerService,
    @Inject(ENGINES) engines: Engines,
    @Inject(CONFIGURATION) { maxBatchRows, maxQueue }: Pick<Configuration, 'maxBatchRows' | 'maxQueue'>,
  ) {
    super(store, broadcast, {
      noun: 'evaluation',
      context: 'evaluate',
      failed: () => failEvaluate('EVALUATION_FAILED'),
      run: async (evaluation, held) => {
        const { baseModel } = evaluation;
        const [engine, codec] = await Promise.all([engines.get(baseModel.digest), tokenizers.get(baseModel)]);
        const context = { engine, codec, rowsAtATime: Math.min(maxBatchRows, maxQueue), signal: held.signal };
        return summarizeOutcomes(await measureRest(evaluation, held, context, { store, broadcast }));
      },
    });
  }
}

/** Outcomes of all examples, in their order. */
async function measureRest(
  { id, settings }: ModelEvaluation,
  { owner, signal }: HeldWork,
  context: MeasureContext,
  { store, broadcast }: { readonly store: EvaluationStore; readonly broadcast: WorkBroadcast },
): Promise<ExampleOutcome[]> {
  const examples = await store.getExamples(id);
  const outcomes = new Map(await store.listOutcomes(id));
  const left = [...examples.entries()].filter(([place]) => !outcomes.has(place));
  for (let from = 0; from < left.length; from += EXAMPLES_AT_A_TIME) {
    signal.throwIfAborted();
    const part = left.slice(from, from + EXAMPLES_AT_A_TIME);
    const measured = await measureExamples(
      part.map(([, example]) => example),
      settings,
      context,
    );
    const found = new Map(measured.map((outcome, i) => [part[i]?.[0] ?? -1, outcome]));
    if (!(await store.saveOutcomes(id, owner, found))) throw new WorkAborted('lease-lost');
    broadcast.wake(id);
    for (const [place, outcome] of found) outcomes.set(place, outcome);
  }
  return examples.flatMap((_, place) => outcomes.get(place) ?? []);
}
