// The advice of a report in words that a reader can act on, with the numbers it rests on.
import type { ComposedWeights } from './pipeline.js';
import type { Candidate, ReportFacts } from './report.js';
import type { Unprompted } from './stages/measure-unprompted.js';
import type { Estimate } from './stages/verdict.js';

export function describeVerdict(composed: ComposedWeights, candidates: readonly Candidate[], facts: ReportFacts): string {
  return composed.unprompted === undefined
    ? describePlain(composed, candidates, facts) + describeHeldOut(composed)
    : describePrompted(composed, composed.unprompted, candidates, facts);
}

function describeHeldOut({ validation, best }: ComposedWeights): string {
  const held = validation?.heldOut?.examples.length;
  return held === undefined
    ? ''
    : ` What to expect was measured on ${held} examples that were set aside; the search saw the other ${best.examples.length}.`;
}

function describePlain(
  { winner, best, baselines, verdict }: ComposedWeights,
  candidates: readonly Candidate[],
  { promptTokens, measures: { unit, of, success } }: ReportFacts,
): string {
  const { name: single, loss: singleLoss } = bestSingle(baselines, candidates);
  const { expected } = verdict;
  const parts = best.weights.filter((w) => w !== 0).length;
  const onExamples = `On the examples: composed ${shown(best.loss)}, ${single === undefined ? '' : `${single} ${shown(singleLoss)}, `}base ${shown(baselines.base.loss)} ${unit} ${of}.`;
  switch (verdict.advice) {
    case 'compose':
      return `Use the composition of ${parts} ${parts === 1 ? 'adapter' : 'adapters'}: ${percent(expected.composed)} ${success} to expect, where ${single === undefined ? '' : `${single}, the best single adapter, gives ${percent(expected.single)} and `}the base alone gives ${percent(expected.base)}. ${onExamples}`;
    case 'single':
      return `Use ${single ?? 'the best single adapter'} alone: ${percent(expected.single)} ${success} to expect, and a composition promises no more (${percent(expected.composed)}). ${onExamples}`;
    case 'uniform':
      return `Use all candidates in equal parts: ${percent(expected.uniform)} ${success} to expect, and nothing that was searched promises more (${percent(expected.composed)}). ${onExamples}`;
    case 'base':
      return `Use the base alone: ${percent(expected.base)} ${success} to expect, and no adapter promises more. ${onExamples}`;
    case 'prompt':
      return `Put the examples into the prompt of the base model: ${percent(expected.prompted)} ${success} to expect, where the composition promises ${percent(expected.composed)}; it costs ${Math.round(promptTokens.prompted ?? 0)} tokens a request instead of ${Math.round(promptTokens.plain)}. ${onExamples}`;
    case 'single-prompted':
    case 'uniform-prompted':
      throw new Error(`nothing stands in front of the examples, so ${verdict.advice} was not measured`);
    case 'nothing':
      return `Nothing here does this task: ${percent(expected.composed)} ${success} to expect of the best mixture, ${single === undefined ? '' : `${percent(expected.single)} of ${single}, `}${percent(expected.base)} of the base alone. ${winner === 'base' ? '' : 'What was found is kept as the least bad. '}${onExamples}`;
  }
}

/** The search had the examples in front; the two methods that cost no tokens for them are named beside it. */
function describePrompted(
  { best, baselines, verdict }: ComposedWeights,
  unprompted: Unprompted,
  candidates: readonly Candidate[],
  { promptTokens, shots = 0, measures: { unit, of, success } }: ReportFacts,
): string {
  const { name: behind, loss: behindLoss } = bestSingle(baselines, candidates);
  const named = unprompted.single && candidates[unprompted.single.candidate];
  const alone = named && `${named.adapter}@${named.version}`;
  const { expected } = verdict;
  const parts = best.weights.filter((w) => w !== 0).length;
  const examples = shots === 1 ? 'the example' : `the ${shots} examples`;
  const price = `${Math.round((promptTokens.prompted ?? 0) - promptTokens.plain)} tokens more per request (${Math.round(promptTokens.prompted ?? 0)} instead of ${Math.round(promptTokens.plain)})`;
  const without = `without them ${alone === undefined ? '' : `${alone}, the best single adapter, gives ${percent(expected.single)} and `}the base ${percent(expected.base)}`;
  const onExamples = `On the examples, with ${examples} in front: composed ${shown(best.loss)}, ${behind === undefined ? '' : `${behind} ${shown(behindLoss)}, `}base ${shown(baselines.base.loss)}; without: ${alone === undefined ? '' : `${alone} ${shown(unprompted.single?.evaluation.loss)}, `}base ${shown(unprompted.base.loss)} ${unit} ${of}.`;
  switch (verdict.advice) {
    case 'compose':
      return `Use the composition of ${parts} ${parts === 1 ? 'adapter' : 'adapters'} with ${examples} in front: ${percent(expected.composed)} ${success} to expect, where the base with ${examples} gives ${percent(expected.prompted)}; ${without}. It costs ${price}. ${onExamples}`;
    case 'prompt':
      return `Put ${examples} in front of the base model, without any adapter: ${percent(expected.prompted)} ${success} to expect, and the composition promises no more there (${percent(expected.composed)}); ${without}. It costs ${price}. ${onExamples}`;
    case 'single-prompted':
      return `Use ${behind ?? 'the best single adapter'} alone with ${examples} in front: ${percent(expected.singlePrompted)} ${success} to expect, and the composition promises no more there (${percent(expected.composed)}); ${without}. It costs ${price}. ${onExamples}`;
    case 'uniform-prompted':
      return `Use all candidates in equal parts with ${examples} in front: ${percent(expected.uniformPrompted)} ${success} to expect, and nothing that was searched promises more there (${percent(expected.composed)}); ${without}. It costs ${price}. ${onExamples}`;
    case 'single':
      return `Use ${alone ?? 'the best single adapter'} alone, without examples in front: ${percent(expected.single)} ${success} to expect. With ${examples} the composition promises ${percent(expected.composed)} and the base ${percent(expected.prompted)}, which is not worth ${price}. ${onExamples}`;
    case 'base':
    case 'uniform':
      return `Use the base alone, without examples in front: ${percent(expected.base)} ${success} to expect. With ${examples} the composition promises ${percent(expected.composed)} and the base ${percent(expected.prompted)}, which is not worth ${price}. ${onExamples}`;
    case 'nothing':
      return `Nothing here does this task: with ${examples} in front ${percent(expected.composed)} ${success} to expect of the best mixture and ${percent(expected.prompted)} of the base; ${without}. A composition without examples in front was not tried; what was found is kept as the least bad. ${onExamples}`;
  }
}

/** A small budget, or a strategy that does not screen, may have scored no candidate alone: then there is no name. */
function bestSingle(
  { singles }: ComposedWeights['baselines'],
  candidates: readonly Candidate[],
): { readonly name: string | undefined; readonly loss: number | undefined } {
  const index = singles.reduce(
    (least, found, i) => ((found?.objective ?? Infinity) < (singles[least]?.objective ?? Infinity) ? i : least),
    0,
  );
  const named = candidates[index];
  const found = singles[index];
  return { name: named === undefined || found === undefined ? undefined : `${named.adapter}@${named.version}`, loss: found?.loss };
}

function percent(found: Estimate | undefined): string {
  return found === undefined ? 'unknown' : `${Math.round(found.success * 100)} %`;
}

function shown(value: number | undefined): string {
  return value !== undefined && Number.isFinite(value) ? value.toFixed(4) : 'not finite';
}
