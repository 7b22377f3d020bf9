// What adapters are worth for a task: forward selection on the real model, over all of them or over some, and what its mixture reaches on
// held-out examples. Losses are kept in the cache, by content, so that a second selection on the same task scores only what it adds.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Evaluate, ExampleLoss } from '#src/compose/evaluate.js';
import { type Evaluation, EvaluationLedger } from '#src/compose/evaluation-ledger.js';
import { LORAHUB_OBJECTIVE, type WeightVector } from '#src/compose/objective.js';
import { createMixtureEvaluation } from '#src/compose/score-mixtures.js';
import { equalShares, selectForward } from '#src/compose/searches/forward-selection.js';
import { single } from '#src/compose/stages/screen.js';
import { type Digest, digestOf } from '#src/ids/ids.js';
import type { Engine } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';

/** As the search's own forward selection adds them up; one adapter more than it takes. */
const SUM = 1.5;
const MOST_PARTS = 4;
const MOST_EVALUATIONS = 10_000;

/** An adapter that forward selection took, by its index among all. */
export interface Pick {
  readonly candidate: number;
  /** By how much the objective fell when it joined; for the first one, from the base. */
  readonly gain: number;
  /** The gain's share of the objective before it joined. */
  readonly share: number;
}

export interface Selection {
  readonly picks: readonly Pick[];
  readonly objective: number;
  /** Share of held-out examples whose answer greedy decoding gives. */
  readonly exactMatch: number;
}

export interface TaskWorth {
  /** Objectives of each candidate alone. */
  readonly singles: readonly number[];
  select(pool: readonly number[]): Promise<Selection>;
}

export interface WorthOptions {
  readonly engine: Engine;
  readonly candidates: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  readonly heldOut: readonly TokenizedExample[];
  readonly memory: LossMemory;
}

/** Measures every candidate alone; selections follow. */
export async function measureWorth({ engine, candidates, examples, heldOut, memory }: WorthOptions): Promise<TaskWorth> {
  const evaluationOf = (of: readonly TokenizedExample[]): Evaluate =>
    memory.remember(createMixtureEvaluation({ engine, candidates, examples: of, space: 'delta' }), candidates, of);
  const objective = LORAHUB_OBJECTIVE;
  const ledger = new EvaluationLedger({
    evaluate: evaluationOf(examples),
    exampleCount: examples.length,
    objective,
    budget: MOST_EVALUATIONS,
  });
  const evaluateHeldOut = evaluationOf(heldOut);
  const count = candidates.length;
  const score = async (weights: WeightVector): Promise<Evaluation> => {
    const [evaluation] = await ledger.score([weights], 'search');
    if (evaluation === undefined) throw new Error('the ledger is full');
    return evaluation;
  };
  const base = await score(new Array<number>(count).fill(0));
  const singles = await ledger.score(
    candidates.map((_, i) => single(i, count)),
    'screen',
  );
  const singleObjectives = singles.map((evaluation) => evaluation.objective);
  return {
    singles: singleObjectives,
    select: async (pool) => {
      const sorted = [...pool].sort((a, b) => (singleObjectives[a] ?? NaN) - (singleObjectives[b] ?? NaN));
      const selection = await selectForward(ledger, { pool: sorted, candidates: count, mostParts: MOST_PARTS, sums: [SUM] });
      const isHelpful = selection !== undefined && selection.best.objective < base.objective;
      const members = isHelpful ? selection.members : [];
      const best = isHelpful ? selection.best : base;
      const picks: Pick[] = [];
      let before = base.objective;
      for (const [i, candidate] of members.entries()) {
        // All of these were scored on the way.
        const joined = members.slice(0, i + 1);
        const { objective: after } = await score(equalShares(joined, i === 0 ? 1 : SUM, count));
        picks.push({ candidate, gain: before - after, share: (before - after) / before });
        before = after;
      }
      const [answers = []] = await evaluateHeldOut([{ weights: best.weights, examples: heldOut.map((_, i) => i) }]);
      return { picks, objective: best.objective, exactMatch: answers.filter(({ isExact }) => isExact).length / heldOut.length };
    },
  };
}

/** Losses by mixture and example, kept in a file of JSON lines. */
export class LossMemory {
  private readonly losses = new Map<string, ExampleLoss>();

  constructor(private readonly file: string) {
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) return;
    // A line that was cut off when the bench was stopped is measured again.
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    for (const line of lines) {
      const [key, loss] = JSON.parse(line) as [string, ExampleLoss];
      this.losses.set(key, loss);
    }
  }

  /** @param candidates whose weights the evaluation takes @param examples whose indices it takes */
  remember(evaluate: Evaluate, candidates: readonly Digest[], examples: readonly TokenizedExample[]): Evaluate {
    const keyOf = (weights: WeightVector, example: number): string => {
      const parts = candidates.map((digest, i) => [digest, weights[i] ?? 0] as const).filter(([, weight]) => weight !== 0);
      return digestOf(JSON.stringify([parts, examples[example]])).slice(-24);
    };
    return async (requests) => {
      const wanted = requests
        .map(({ weights, examples: indices }) => ({ weights, examples: indices.filter((i) => !this.losses.has(keyOf(weights, i))) }))
        .filter((request) => request.examples.length > 0);
      const scored = await evaluate(wanted);
      const lines = wanted.flatMap(({ weights, examples: indices }, r) =>
        indices.flatMap((index, i) => {
          const loss = scored[r]?.[i];
          if (loss === undefined) return [];
          const key = keyOf(weights, index);
          this.losses.set(key, loss);
          // JSON has no Infinity, which is what a mixture that overflows the model has.
          return !Number.isFinite(loss.nll) ? [] : `${JSON.stringify([key, loss])}\n`;
        }),
      );
      if (lines.length > 0) appendFileSync(this.file, lines.join(''));
      return requests.map(({ weights, examples: indices }) =>
        indices.map((index) => {
          const loss = this.losses.get(keyOf(weights, index));
          if (loss === undefined) throw new Error(`example ${index} was not scored`);
          return loss;
        }),
      );
    };
  }
}
