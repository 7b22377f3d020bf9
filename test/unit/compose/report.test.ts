// Parts, report and verdict of a finished search.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeWeights, type ComposedWeights } from '#src/compose/pipeline.js';
import { EvaluationLedger } from '#src/compose/evaluation-ledger.js';
import { LORAHUB_OBJECTIVE, type WeightVector } from '#src/compose/objective.js';
import { LIKELIHOOD_WORDS } from '#src/compose/objectives/likelihood.js';
import { type Candidate, createReport, partsOf } from '#src/compose/report.js';
import { measureUnprompted } from '#src/compose/stages/measure-unprompted.js';
import { PRESETS } from '#src/compose/strategy.js';
import { digestOf, parseRepoName, parseVersion } from '#src/ids/ids.js';
import { evaluateLosses } from '#test/fixtures/loss-evaluation.js';

const candidates: Candidate[] = ['a', 'b', 'c'].map((name) => ({
  adapter: parseRepoName(`me/${name}`),
  version: parseVersion('1.0.0'),
  digest: digestOf(name),
}));

const options = { candidates: 3, objective: LORAHUB_OBJECTIVE, budget: 60, seed: 1, strategy: PRESETS.weave, now: () => 0 };

function search(loss: (w: WeightVector) => number): Promise<ComposedWeights> {
  return composeWeights({ ...options, evaluate: evaluateLosses(loss), exampleCount: 1 });
}

const facts = { measures: LIKELIHOOD_WORDS, budget: 60, seconds: 1.5, promptTokens: { plain: 10, prompted: null } };

describe('report', () => {
  it('parts are the winning point exactly, without candidates of weight 0', async () => {
    const composed = await search((w) => {
      const [a = 0, b = 0, c = 0] = w;
      return a === 0 && b === 0.75 && c === 0.75 ? 0 : 1 + 3 * Math.abs(a) + Math.abs(b - 0.75) + Math.abs(c - 0.75);
    });
    assert.deepEqual(partsOf(composed, candidates), [
      { ...candidates[1], weight: 0.75 },
      { ...candidates[2], weight: 0.75 },
    ]);
  });

  it('holds base, every single candidate and uniform, the curve and the stages, and survives JSON', async () => {
    const composed = await search((w) => w.reduce((sum, x, i) => sum + (x - 0.3 * (i + 1)) ** 2, 0.1));
    const report = createReport(composed, candidates, facts);
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
    assert.equal(report.singles.length, 3);
    assert.equal(report.singles[2]?.adapter, 'me/c');
    assert.equal(report.base.loss, composed.baselines.base.loss);
    assert.ok(report.composed.objective !== null && report.base.objective !== null && report.composed.objective < report.base.objective);
    assert.equal(report.curve.at(-1)?.objective, report.composed.objective);
    assert.deepEqual(
      report.stages.map(({ stage }) => stage),
      ['screen', 'search', 'prune', 'baselines', 'validate'],
    );
    assert.equal(report.winner, 'composed');
    assert.match(report.verdict, /^Use the composition of 3 adapters: \d+ % exact answers.*me\/c@1\.0\.0, the best single adapter/);
  });

  it('of the prompted model says what each costs, and names those without the prompt beside it', async () => {
    const behind = (w: WeightVector): number => (w[0] === 1 ? 0.7 : w[1] === 1 ? 0.9 : 2 - (w[0] ?? 0) * (w[1] ?? 0));
    const plain = (best: number) => (w: WeightVector) => (w[2] === 1 ? best : 3);
    const make = async (loss: (w: WeightVector) => number, without: (w: WeightVector) => number) => {
      const composed = await composeWeights({
        ...options,
        evaluate: evaluateLosses(loss, loss),
        exampleCount: 2,
        unprompted: (asked) =>
          measureUnprompted(
            new EvaluationLedger({
              evaluate: evaluateLosses(without, without),
              exampleCount: 2,
              objective: LORAHUB_OBJECTIVE,
              budget: 4,
            }),
            asked,
          ),
      });
      return createReport(composed, candidates, { ...facts, promptTokens: { plain: 10, prompted: 70 }, shots: 4 });
    };
    const prompted = await make(behind, plain(2));
    assert.deepEqual(JSON.parse(JSON.stringify(prompted)), prompted);
    assert.deepEqual(
      [prompted.unprompted?.base.loss, prompted.unprompted?.single?.adapter, prompted.unprompted?.single?.loss, prompted.base.loss],
      [3, 'me/c', 2, 2],
    );
    assert.match(
      prompted.verdict,
      /^Use me\/a@1\.0\.0 alone with the 4 examples in front: 50 % exact answers to expect.*without them me\/c@1\.0\.0, the best single adapter, gives 14 % and the base 5 %\. It costs 60 tokens more per request \(70 instead of 10\)\. On the examples, with the 4 examples in front: composed 0\.7000, me\/a@1\.0\.0 0\.7000, base 2\.0000; without: me\/c@1\.0\.0 2\.0000, base 3\.0000 nats per answer token\.$/,
    );
    const alone = await make(behind, plain(0.5));
    assert.equal(alone.advice, 'single');
    assert.match(
      alone.verdict,
      /^Use me\/c@1\.0\.0 alone, without examples in front: 61 % .* the base 14 %, which is not worth 60 tokens more per request/,
    );
    const base = await make(
      (w) => (w.every((x) => x === 0) ? 0.1 : 3),
      () => 3,
    );
    assert.match(base.verdict, /^Put the 4 examples in front of the base model, without any adapter: 90 % exact/);
    const nothing = await make(
      () => 5,
      () => 5,
    );
    assert.match(nothing.verdict, /^Nothing here does this task: with the 4 examples in front 1 % .*was not tried/);
  });

  it('says plainly when nothing helps, when one adapter is enough, and what could not be evaluated', async () => {
    const base = createReport(await search((w) => (w.every((x) => x === 0) ? 1 : NaN)), candidates, facts);
    assert.equal(base.winner, 'base');
    assert.match(base.verdict, /^Use the base alone: 37 % exact answers/);
    assert.deepEqual(base.singles[0], { adapter: 'me/a', version: '1.0.0', loss: null, objective: null });
    const single = createReport(await search((w) => (w[1] === 1 && w[0] === 0 && w[2] === 0 ? 0 : 1)), candidates, facts);
    assert.match(single.verdict, /^Use me\/b@1\.0\.0 alone: 100 % exact answers/);
  });
});
