// From the outcomes of all examples to figures with 95 % intervals, and from two models' outcomes on the same examples to their difference.
import { bootstrapDifference, bootstrapRatio, bootstrapRatioDifference, type Estimate, type Ratio } from '#src/statistics/bootstrap.js';
import { wilsonInterval } from '#src/statistics/wilson.js';
import type { ExampleOutcome } from './measure-examples.js';

type Outcome = Pick<ExampleOutcome, 'tokens' | 'nll' | 'isExact' | 'isCorrect'>;

/** Figures of a model on some examples. */
export interface EvaluationResult {
  /** Mean negative log-likelihood per answer token, nats, with a bootstrap interval over examples; null where an answer has no finite likelihood. */
  readonly loss: Estimate | null;
  /** Share of examples whose generated answer is the expected one, with Wilson's interval. */
  readonly exactMatch: Estimate;
  /** Share of examples whose likeliest choice is the answer, with Wilson's interval; null without choices. */
  readonly accuracy: Estimate | null;
  readonly answerTokens: number;
}

/** Second minus first, paired by example, with bootstrap intervals; null where one of them has no figure. */
export interface EvaluationDifference {
  readonly loss: Estimate | null;
  readonly exactMatch: Estimate;
  readonly accuracy: Estimate | null;
}

/** @throws RangeError without outcomes */
export function summarizeOutcomes(outcomes: readonly Outcome[]): EvaluationResult {
  const losses = lossesOf(outcomes);
  const correct = correctOf(outcomes);
  return {
    loss: losses === undefined ? null : bootstrapRatio(losses),
    exactMatch: wilsonInterval(sum(exactOf(outcomes)), outcomes.length),
    accuracy: correct === undefined ? null : wilsonInterval(sum(correct), outcomes.length),
    answerTokens: sum(outcomes.map(({ tokens }) => tokens)),
  };
}

/** @param first and second outcomes of the same examples in the same order. @throws RangeError when they are not equally many */
export function compareOutcomes(first: readonly Outcome[], second: readonly Outcome[]): EvaluationDifference {
  const losses = [lossesOf(first), lossesOf(second)] as const;
  const correct = [correctOf(first), correctOf(second)] as const;
  return {
    loss: losses[0] === undefined || losses[1] === undefined ? null : bootstrapRatioDifference(losses[0], losses[1]),
    exactMatch: bootstrapDifference(exactOf(first), exactOf(second)),
    accuracy: correct[0] === undefined || correct[1] === undefined ? null : bootstrapDifference(correct[0], correct[1]),
  };
}

function lossesOf(outcomes: readonly Outcome[]): Ratio | undefined {
  const numerators = outcomes.flatMap(({ nll }) => (nll === null ? [] : [nll]));
  return numerators.length < outcomes.length ? undefined : { numerators, denominators: outcomes.map(({ tokens }) => tokens) };
}

function exactOf(outcomes: readonly Outcome[]): number[] {
  return outcomes.map(({ isExact }) => Number(isExact));
}

function correctOf(outcomes: readonly Outcome[]): number[] | undefined {
  return outcomes.some(({ isCorrect }) => isCorrect === null) ? undefined : outcomes.map(({ isCorrect }) => Number(isCorrect));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
