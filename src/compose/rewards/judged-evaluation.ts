// The losses of rows with what a service says of the answers: every mixture answers every example greedily, and the answers of a batch are judged together.
import { mapAtATime } from '#src/runtime/map-at-a-time.js';
import type { Digest } from '#src/ids/ids.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { Evaluate, ExampleLoss } from '../evaluate.js';
import { answerGreedily, type GreedyOptions, readOwnAnswer } from '../greedy-answer.js';
import { createWeightedMixture, MOST_COMBINED_PER_CALL } from '../score-mixtures.js';
import type { WeightVector } from '../objective.js';
import type { Judge } from './judge-answers.js';

/** Tokens that an answer may have beyond the example's own, to say it in other words or to miss its end. */
export const ANSWER_MARGIN = 8;
/** As many rows as an engine generates together by default; in factor space every mixture is an adapter of its own, in memory until its answer ends. */
const ANSWERS_AT_A_TIME = 16;

export interface Judging extends Omit<GreedyOptions, 'background'> {
  readonly judge: Judge;
  /** Digests of the candidates, in the order of the weights. */
  readonly candidates: readonly Digest[];
  /** One row an example, in the examples' order. */
  readonly examples: readonly TokenizedExample[];
  readonly space: Space;
}

/** An example under one weight vector. */
interface Asked {
  readonly weights: WeightVector;
  readonly example: number;
  readonly loss: ExampleLoss;
}

/**
 * Semantics: of each row's loss the success becomes the reward of the greedy answer. Where all tokens of the example's own answer are the
 * likeliest, that is the answer, and nothing is generated. Where the model computes no finite number nothing is judged: the loss is Infinity.
 * @param evaluateRows one row an example
 * @throws what it throws, what engine and judge throw; the signal's reason when it is aborted
 */
export function createJudgedEvaluation(evaluateRows: Evaluate, { judge, ...judging }: Judging): Evaluate {
  return async (requests) => {
    const scored = await evaluateRows(requests);
    const asked = requests.flatMap(({ weights, examples }, i) =>
      examples.map((example, j): Asked => {
        const loss = scored[i]?.[j];
        if (loss === undefined) throw new Error(`example ${example} was not scored`);
        return { weights, example, loss };
      }),
    );
    const atATime = judging.space === 'factor' ? MOST_COMBINED_PER_CALL : ANSWERS_AT_A_TIME;
    const answers = await mapAtATime(asked, atATime, (item) => answer(item, judging));
    const given = asked.flatMap(({ example }, k) => {
      const text = answers[k];
      return text === undefined ? [] : [{ example, answer: text }];
    });
    const rewards = (await judge(given)).values();
    const losses = asked.map(({ loss }, k): ExampleLoss => {
      if (answers[k] === undefined) return { ...loss, nll: Infinity, isExact: false, success: 0 };
      return { ...loss, success: rewards.next().value ?? NaN };
    });
    let next = 0;
    return requests.map(({ examples }) => losses.slice(next, (next += examples.length)));
  };
}

async function answer(
  { weights, example, loss }: Asked,
  { candidates, examples, space, ...options }: Omit<Judging, 'judge'>,
): Promise<string | undefined> {
  const row = examples[example];
  if (row === undefined) throw new RangeError(`there is no example ${example} among ${examples.length}`);
  if (!Number.isFinite(loss.nll)) return undefined;
  const own = loss.isExact ? readOwnAnswer(row, options) : undefined;
  // A model without an end of sequence goes on behind an answer that is exact so far.
  if (own?.isComplete === true) return own.text;
  const mixture = createWeightedMixture(weights, candidates, space);
  const given = await answerGreedily(row, mixture, row.ids.length - row.from + ANSWER_MARGIN, { ...options, background: true });
  return given?.text;
}
