// Base and best single adapter without a prompt: chosen for themselves, at little cost, and judged on examples that had no say.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvaluationLedger } from '#src/compose/evaluation-ledger.js';
import { LORAHUB_OBJECTIVE, type WeightVector } from '#src/compose/objective.js';
import { behindPrompt, measureUnprompted } from '#src/compose/stages/measure-unprompted.js';
import { evaluateLosses } from '#test/fixtures/loss-evaluation.js';

const CANDIDATES = 16;

function measure(...losses: ((w: WeightVector) => number)[]) {
  const ledger = new EvaluationLedger({
    evaluate: evaluateLosses(...losses),
    exampleCount: losses.length,
    objective: LORAHUB_OBJECTIVE,
    budget: CANDIDATES + 1,
  });
  return measureUnprompted(ledger, { candidates: CANDIDATES, finalists: 3 });
}

describe('measureUnprompted', () => {
  it('finds the best candidate for less than scoring all of them', async () => {
    const loss = (w: WeightVector): number => 3 - 2 * (w[11] ?? 0) - (w[4] ?? 0);
    const { base, single, unseenSingle, evaluations } = await measure(loss, loss, loss, loss, loss);
    assert.equal(base.loss, 3);
    assert.deepEqual([single?.candidate, single?.evaluation.loss], [11, 1]);
    assert.deepEqual(
      unseenSingle.map(({ nll }) => nll),
      [1, 1, 1, 1, 1],
    );
    assert.ok(evaluations < 12, String(evaluations));
  });

  it('judges the best one on examples that did not choose it', async () => {
    // Candidate 0 is good on the first example alone, candidate 1 everywhere a little.
    const at = (first: number, second: number) => (w: WeightVector) => (w[0] === 1 ? first : w[1] === 1 ? second : 9);
    const { single, unseenSingle } = await measure(at(0, 3), at(4, 3), at(4, 3));
    assert.equal(single?.candidate, 0, 'the mean of its losses is the lowest');
    assert.deepEqual(
      unseenSingle.map(({ nll }) => nll),
      [3, 4, 4],
    );
  });

  it('says nothing of candidates where none can be evaluated, and of unseen examples where there is one', async () => {
    const none = await measure(
      (w) => (w.every((x) => x === 0) ? 2 : NaN),
      () => 2,
    );
    assert.deepEqual([none.single, none.unseenSingle, none.base.loss], [undefined, [], 2]);
    const one = await measure((w) => 2 - (w[3] ?? 0));
    assert.deepEqual([one.single?.candidate, one.unseenSingle], [3, []]);
  });

  it("gives the search's own methods the names of prompted ones", async () => {
    const unprompted = await measure(
      (w) => 3 - (w[0] ?? 0),
      (w) => 3 - (w[0] ?? 0),
    );
    const [base, uniform, single, composed] = [1, 2, 3, 4].map((nll) => [{ nll, tokens: 1, isExact: false }]);
    const found = { base: base ?? [], uniform: uniform ?? [], single: single ?? [], composed: composed ?? [] };
    const evidence = behindPrompt(found, unprompted, { isUnseen: true });
    assert.deepEqual(
      [evidence.prompted, evidence.uniformPrompted, evidence.singlePrompted, evidence.composed],
      [base, uniform, single, composed],
    );
    assert.equal(evidence.uniform, undefined);
    assert.deepEqual(evidence.base, unprompted.base.examples);
    assert.deepEqual(evidence.single, unprompted.unseenSingle);
    assert.deepEqual(behindPrompt(found, unprompted, { isUnseen: false }).single, unprompted.single?.evaluation.examples);
  });
});
