// What to do with the task: use the composition, one adapter, the examples as a prompt, or none of these; said from losses alone, no I/O.
import type { ExampleLoss } from '../evaluate.js';
import { meanLoss } from '../evaluation-ledger.js';

export type Advice = 'compose' | 'single' | 'uniform' | 'base' | 'prompt' | 'nothing';

/** What the advice is drawn from: per example, each measured without having been chosen by that example where a choice was made. */
export interface Evidence {
  readonly base: readonly ExampleLoss[];
  readonly uniform: readonly ExampleLoss[];
  readonly single: readonly ExampleLoss[];
  readonly composed: readonly ExampleLoss[];
  /** The base with the other examples in its prompt; absent where they do not fit the context. */
  readonly prompted?: readonly ExampleLoss[];
}

export interface Estimate {
  /** Mean negative log-likelihood per answer token to expect on new examples, nats. */
  readonly loss: number;
  /** 80 % interval of the loss on as many new examples. */
  readonly interval: readonly [number, number];
  /** Chance of an exact answer to expect: the mean over examples of the probability of the whole answer. */
  readonly exactMatch: number;
}

export interface Verdict {
  readonly advice: Advice;
  /** What to expect of each on new examples. */
  readonly expected: Readonly<Partial<Record<'base' | 'uniform' | 'single' | 'composed' | 'prompted', Estimate>>>;
}

/** Below this chance of an exact answer a method does not do the task. */
const HELPLESS = 0.1;
/** Student's t, two-sided 80 %, by degrees of freedom from 1; the last one for more. */
const STUDENT_T = [3.08, 1.89, 1.64, 1.53, 1.48, 1.44, 1.41, 1.4, 1.38, 1.37, 1.28] as const;

/**
 * The method with the highest expected chance of an exact answer; "nothing" where none reaches HELPLESS, however low its loss. Simpler ones win ties: base, single, uniform, composed, prompt (which costs tokens with every request).
 */
export function decide(evidence: Evidence): Verdict {
  const expected = Object.fromEntries(
    Object.entries(evidence).flatMap(([method, losses]: [string, readonly ExampleLoss[] | undefined]) =>
      losses === undefined || losses.length === 0 ? [] : [[method, estimate(losses)]],
    ),
  ) as Verdict['expected'];
  const { base, single, uniform, composed, prompted } = expected;
  const ranked = [
    { advice: 'base' as const, found: base },
    { advice: 'single' as const, found: single },
    { advice: 'uniform' as const, found: uniform },
    { advice: 'compose' as const, found: composed },
    { advice: 'prompt' as const, found: prompted },
  ].flatMap(({ advice, found }) => (found === undefined ? [] : [{ advice, ...found }]));
  const [best] = [...ranked].sort((a, b) => b.exactMatch - a.exactMatch);
  if (best === undefined || best.exactMatch < HELPLESS) return { advice: 'nothing', expected };
  return { advice: best.advice, expected };
}

/** Mean loss with a Student interval over examples, on the logarithm because losses are skewed. */
export function estimate(losses: readonly ExampleLoss[]): Estimate {
  const n = losses.length;
  const loss = meanLoss(losses);
  const exactMatch = losses.reduce((sum, { nll }) => sum + Math.exp(-nll), 0) / n;
  const logs = losses.map(({ nll, tokens }) => Math.log(nll / tokens + 0.01));
  const mean = logs.reduce((sum, x) => sum + x, 0) / n;
  const variance = n < 2 ? Infinity : logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
  // Of the mean of n measured and of n new ones.
  const spread = (STUDENT_T[Math.min(n - 2, STUDENT_T.length - 1)] ?? STUDENT_T[0]) * Math.sqrt((2 * variance) / n);
  const interval: readonly [number, number] = Number.isFinite(spread) ? [loss * Math.exp(-spread), loss * Math.exp(spread)] : [0, Infinity];
  return { loss, interval, exactMatch };
}
