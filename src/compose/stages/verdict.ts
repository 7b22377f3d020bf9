// What to do with the task: use the composition, one adapter, the examples as a prompt, or none of these; said from losses alone, no I/O.
import { type ExampleLoss, successOf } from '../evaluate.js';
import { meanLoss } from '../evaluation-ledger.js';

export type Advice = 'compose' | 'single' | 'uniform' | 'base' | 'prompt' | 'single-prompted' | 'uniform-prompted' | 'nothing';

/**
 * What the advice is drawn from: per example, each measured without having been chosen by that example where a choice was made. Of a
 * composition of the prompted model, `composed` is behind its prompt, and so are those that say so.
 */
export interface Evidence {
  readonly base: readonly ExampleLoss[];
  readonly uniform?: readonly ExampleLoss[];
  readonly single: readonly ExampleLoss[];
  readonly composed: readonly ExampleLoss[];
  /** The base with other examples in its prompt; absent where they do not fit the context. */
  readonly prompted?: readonly ExampleLoss[];
  /** The best single adapter, and all in equal parts, with the same examples in the prompt. */
  readonly singlePrompted?: readonly ExampleLoss[];
  readonly uniformPrompted?: readonly ExampleLoss[];
}

export interface Estimate {
  /** The loss to expect on new examples, in the objective's unit. */
  readonly loss: number;
  /** 80 % interval of the loss on as many new examples. */
  readonly interval: readonly [number, number];
  /** Share of exact answers, of right choices or of the reward to expect, as the objective means it: the mean over examples. */
  readonly success: number;
}

export interface Verdict {
  readonly advice: Advice;
  /** What to expect of each on new examples. */
  readonly expected: Readonly<Partial<Record<keyof Evidence, Estimate>>>;
}

/** A method that does no more than this share of what guessing leaves undone does not do the task. */
const HELPLESS = 0.1;
/** Where methods have the same success, as shares of a few examples often have, one that is surer of its answers by this much is better. */
const SURER = 0.05;
/** Sums of the same numbers in another order differ by this much at most. */
const ROUNDING = 1e-9;
/** What examples in the prompt must add to the success to be worth their tokens with every request. */
const WORTH_A_PROMPT = 0.02;
/** Below this (nats per answer token) losses count as alike; what is sure of five examples may still be wrong on the next. */
const OFFSET = 0.01;
/** What was chosen varies more from example to example than it shows: as if two examples more, a deviation of one on the logarithm from the mean, had been seen. */
const CHOICE_FREEDOM = 2;
const CHOICE_VARIANCE = 1;
const CHOSEN: ReadonlySet<string> = new Set<keyof Evidence>(['single', 'composed', 'singlePrompted']);
/** Student's t, two-sided 80 %, by degrees of freedom from 1; the last one for more. */
const STUDENT_T = [3.08, 1.89, 1.64, 1.53, 1.48, 1.44, 1.41, 1.4, 1.38, 1.37, 1.28] as const;

/** Simpler ones first, those without examples in the prompt before those with them. */
const METHODS: readonly { readonly advice: Exclude<Advice, 'nothing'>; readonly method: keyof Evidence; readonly isPrompted: boolean }[] = [
  { advice: 'base', method: 'base', isPrompted: false },
  { advice: 'single', method: 'single', isPrompted: false },
  { advice: 'uniform', method: 'uniform', isPrompted: false },
  { advice: 'compose', method: 'composed', isPrompted: false },
  { advice: 'prompt', method: 'prompted', isPrompted: true },
  { advice: 'single-prompted', method: 'singlePrompted', isPrompted: true },
  { advice: 'uniform-prompted', method: 'uniformPrompted', isPrompted: true },
  { advice: 'compose', method: 'composed', isPrompted: true },
];

/** Which of the methods of equal success is taken: the simplest, or the simplest among the clearly surest. */
export type Ties = 'simpler' | 'surer';

/**
 * The method with the highest success to expect; "nothing" where none is clearly better than guessing, however low its loss. Simpler ones
 * win ties, and examples in the prompt, which cost tokens with every request, must be worth that.
 * @param guess the success that guessing has
 */
export function decide(evidence: Evidence, guess = 0, ties: Ties = 'surer'): Verdict {
  const expected = Object.fromEntries(
    Object.entries(evidence).flatMap(([method, losses]: [string, readonly ExampleLoss[] | undefined]) =>
      losses === undefined || losses.length === 0 ? [] : [[method, estimate(losses, { isChosen: CHOSEN.has(method) })]],
    ),
  ) as Verdict['expected'];
  const isComposedPrompted = evidence.singlePrompted !== undefined;
  const measured = METHODS.flatMap(({ advice, method, isPrompted }) => {
    const found = expected[method];
    if (found === undefined || (method === 'composed' && isPrompted !== isComposedPrompted)) return [];
    return [{ advice, isPrompted, success: found.success, certainty: certaintyOf(evidence[method] ?? []) }];
  });
  const mostPlain = Math.max(...measured.filter(({ isPrompted }) => !isPrompted).map(({ success }) => success));
  const methods = measured.filter(({ isPrompted, success }) => !isPrompted || success > mostPlain + WORTH_A_PROMPT);
  const most = Math.max(...methods.map(({ success }) => success));
  const equals = methods.filter(({ success }) => success >= most - ROUNDING);
  const surest = Math.max(...equals.map(({ certainty }) => certainty));
  const best = equals.find(({ certainty }) => ties === 'simpler' || certainty >= surest - SURER);
  if (best === undefined || best.success < guess + HELPLESS * (1 - guess)) return { advice: 'nothing', expected };
  return { advice: best.advice, expected };
}

/**
 * Mean loss with a Student interval over examples, on the logarithm because losses are skewed.
 * @param isChosen whether the method is one of many that was chosen, if by other examples: the folds chose other mixtures than the one that is kept
 */
export function estimate(losses: readonly ExampleLoss[], { isChosen = false }: { readonly isChosen?: boolean } = {}): Estimate {
  const n = losses.length;
  const loss = meanLoss(losses);
  const success = losses.reduce((sum, example) => sum + successOf(example), 0) / n;
  const logs = losses.map(({ nll, tokens }) => Math.log(nll / tokens + OFFSET));
  const mean = logs.reduce((sum, x) => sum + x, 0) / n;
  const prior = isChosen ? CHOICE_FREEDOM : 0;
  const freedom = n - 1 + prior;
  const variance = n < 2 ? Infinity : (logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) + prior * CHOICE_VARIANCE) / freedom;
  // Of the mean of n measured and of n new ones.
  const spread = (STUDENT_T[Math.min(freedom - 1, STUDENT_T.length - 1)] ?? STUDENT_T[0]) * Math.sqrt((2 * variance) / n);
  const shifted = (by: number): number => Math.max(0, (loss + OFFSET) * Math.exp(by) - OFFSET);
  const interval: readonly [number, number] = Number.isFinite(spread) ? [shifted(-spread), shifted(spread)] : [0, Infinity];
  return { loss, interval, success };
}

/** Mean of exp(−loss): between methods of equal success, the one with the lower losses is the surer one. */
function certaintyOf(losses: readonly ExampleLoss[]): number {
  return losses.reduce((sum, { nll, tokens }) => sum + successOf({ nll: nll / tokens, tokens: 1, isExact: false }), 0) / losses.length;
}
