// Composition on the bundled example: few-shot losses are PyTorch's, and two skills that no adapter has together are found.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answerExamples } from '#src/compose/answer-examples.js';
import { PRESETS } from '#src/compose/strategy.js';
import { answerTextOf } from '#src/tokenizer/choices.js';
import { tokenizeExamples } from '#src/tokenizer/examples.js';
import { BundledBed } from '#test/fixtures/compose/bundled-bed.js';

describe('composition on the bundled example', () => {
  let bed: BundledBed;

  before(async () => {
    bed = await BundledBed.open();
  });
  after(() => bed.close());

  it('the loss of every single adapter is what PyTorch computes on the same examples', async () => {
    for (const { task, singleLosses } of bed.expected) {
      const { report } = await bed.search(bed.fewShot(task), {
        budget: bed.names.length + 2,
        strategy: PRESETS['select-then-search'],
        prompted: undefined,
      });
      for (const [i, name] of bed.names.entries()) {
        const loss = report.singles[i]?.loss ?? NaN;
        assert.ok(Math.abs(loss - (singleLosses[name] ?? NaN)) < 2e-3, `${task}, ${name}: ${loss}, expected ${singleLosses[name]}`);
      }
    }
  });

  it('selection and transform together: nearly always right where the best single adapter never is', async () => {
    const examples = bed.fewShot('last-upper');
    const { parts, report } = await bed.search(examples, { budget: 200, strategy: PRESETS.weave });
    assert.equal(report.winner, 'composed');
    assert.ok((report.composed.objective ?? Infinity) < 0.05, JSON.stringify(report.composed));
    assert.ok((await bed.exactMatch('last-upper', parts)) >= 0.9);
    const { engine, codec, candidates } = bed;
    const answers = await answerExamples({
      engine,
      codec,
      examples: tokenizeExamples(examples, codec, engine.contextLength),
      mixture: parts,
      signal: new AbortController().signal,
    });
    for (const [i, { base, composed }] of answers.entries()) {
      const example = examples[i];
      assert.ok(example);
      const text = answerTextOf(example);
      assert.equal(report.examples[i]?.composed.isExact, true);
      assert.deepEqual(composed, { text, isComplete: true }, 'what scoring calls exact is what is generated');
      assert.notEqual(base?.text, text);
    }
    const best = report.singles.reduce(
      (least, { objective }, i) => ((objective ?? Infinity) < (report.singles[least]?.objective ?? Infinity) ? i : least),
      0,
    );
    const single = candidates[best];
    assert.ok(single);
    assert.ok((await bed.exactMatch('last-upper', [{ digest: single.digest, weight: 1 }])) <= 0.1);
  });
});
