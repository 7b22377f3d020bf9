// Runs a plan on an engine: every answer a row of its own, side by side, pieces in order of arrival.
import { setMaxListeners } from 'node:events';
import type { ObservedGeneration } from '#src/metrics/observed-generation.js';
import type { Engine, Mixture, ScoreResult, ScoreRow } from '#src/runtime/engine.js';
import { type AnswerPiece, countCodePoints, readAnswer, type ScoredToken } from '#src/serve/answer.js';
import { mergeStreams } from '#src/serve/merge-streams.js';
import type { Echo, GenerationPlan, PromptPlan } from '#src/serve/plan-generation.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

export interface IndexedPiece {
  /** Index of the answer among the request's choices. */
  readonly index: number;
  readonly prompt: PromptPlan;
  readonly piece: AnswerPiece;
}

export interface RunOptions {
  readonly mixture: Mixture;
  /** Ends the run when the client leaves. */
  readonly signal: AbortSignal;
  /** Hears of every answer. */
  readonly watch: ObservedGeneration;
}

export interface ConcurrencyOptions {
  /** Answers of one request that run at a time; more than a batch would only fill the queue that all requests share. */
  readonly rowsAtATime: number;
}

/** Ends with the first error of any answer; the engine's work for the others is cancelled then, and also when the reader stops early. */
export async function* runPlan(
  engine: Engine,
  codec: TextCodec,
  plan: GenerationPlan,
  { mixture, signal, watch, rowsAtATime }: RunOptions & ConcurrencyOptions,
): AsyncGenerator<IndexedPiece, void, undefined> {
  const cancellation = new AbortController();
  const cancelled = AbortSignal.any([signal, cancellation.signal]);
  // Every row that runs listens: no leak, and no warning in the hub's log.
  setMaxListeners(0, cancelled);
  try {
    const scores = scorePrompts(engine, plan, mixture, cancelled);
    // Whoever awaits an echo's score gets its error; when no answer comes to that, nobody does.
    scores.catch(() => undefined);
    const rows = plan.prompts.flatMap((prompt, p) =>
      plan.seeds.map(
        (seed, i) => () =>
          runRow(
            { engine, codec, plan, mixture, signal: cancelled, watch, scores },
            { prompt, promptIndex: p, seed, index: p * plan.n + i },
          ),
      ),
    );
    yield* mergeStreams(rows, rowsAtATime);
  } finally {
    cancellation.abort();
  }
}

interface Run extends RunOptions {
  readonly engine: Engine;
  readonly codec: TextCodec;
  readonly plan: GenerationPlan;
  /** One per prompt; undefined where it is not scored or has but one token. */
  readonly scores: Promise<readonly (ScoreResult | undefined)[]>;
}

interface Row {
  readonly prompt: PromptPlan;
  readonly promptIndex: number;
  readonly seed: number;
  readonly index: number;
}

async function* runRow(run: Run, row: Row): AsyncGenerator<IndexedPiece, void, undefined> {
  const { plan, codec, engine } = run;
  const { prompt, index } = row;
  const { echo } = prompt;
  const observed = run.watch.openRow(prompt.ids.length, prompt.maxTokens);
  if (echo !== undefined) {
    const tokens = echo.isScored ? scoredPrompt(prompt.ids, echo, (await run.scores)[row.promptIndex]) : [];
    observed.read();
    if (prompt.maxTokens === 0) observed.close('length');
    const finish = prompt.maxTokens === 0 ? { finish: { reason: 'length', stopReason: null } as const } : {};
    yield { index, prompt, piece: { text: echo.text, tokens, generatedTokens: 0, ...finish } };
    if (prompt.maxTokens === 0) return;
  }
  const tokens = engine.generate({
    ids: prompt.ids,
    mixture: run.mixture,
    maxTokens: prompt.maxTokens,
    minTokens: plan.minTokens,
    stopTokens: plan.stopTokens,
    sampling: { ...plan.sampling, seed: row.seed },
    topLogprobs: plan.topLogprobs ?? 0,
    stream: plan.isStream,
    signal: run.signal,
    listener: observed,
  });
  const decoder = codec.createStreamDecoder({ skipSpecialTokens: plan.skipSpecialTokens, context: prompt.ids });
  const answer = readAnswer(tokens, decoder, {
    stopStrings: plan.stopStrings,
    namedStopTokens: plan.namedStopTokens,
    includeStop: plan.includeStop,
    separator: plan.separator,
    minTokens: plan.minTokens,
    startOffset: echo === undefined ? 0 : countCodePoints(echo.text),
  });
  for await (const piece of answer) {
    observed.wrote(piece.generatedTokens);
    if (piece.finish !== undefined) observed.close(piece.finish.reason);
    yield { index, prompt, piece };
  }
}

/** One call for all prompts, so that the engine can batch them. */
async function scorePrompts(
  engine: Engine,
  plan: GenerationPlan,
  mixture: Mixture,
  signal: AbortSignal,
): Promise<(ScoreResult | undefined)[]> {
  const results: (ScoreResult | undefined)[] = plan.prompts.map(() => undefined);
  const places = plan.prompts.flatMap(({ ids, echo }, p) => (echo?.isScored === true && ids.length > firstScored(echo) ? [p] : []));
  const rows = places.map((p): ScoreRow => {
    const { ids, echo } = plan.prompts[p] ?? { ids: [] };
    return { ids, from: firstScored(echo), mixture };
  });
  if (rows.length === 0) return results;
  const scores = await engine.score(rows, { topLogprobs: plan.topLogprobs ?? 0, signal });
  for (const [i, p] of places.entries()) results[p] = scores[i];
  return results;
}

/** Nothing precedes the first token of all. */
function firstScored(echo: Echo | undefined): number {
  return Math.max(1, echo?.from ?? 0);
}

function scoredPrompt(ids: readonly number[], echo: Echo, score: ScoreResult | undefined): ScoredToken[] {
  return ids.slice(echo.from).map((id, i) => {
    const place = echo.from + i - firstScored(echo);
    const top = place < 0 ? undefined : score?.top[place];
    return {
      id,
      logprob: place < 0 ? null : (score?.logprobs[place] ?? null),
      offset: echo.offsets[i] ?? 0,
      ...(top === undefined ? {} : { top }),
    };
  });
}
