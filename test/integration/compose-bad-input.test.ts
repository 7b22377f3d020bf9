// Examples and candidates that are odd but allowed: every one ends in a composition with finite numbers and an advice, or is refused by name.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CompositionView } from '#src/compose/compose.views.js';
import type { CompositionReport } from '#src/compose/report.js';
import { createComposeHub, request } from '#test/fixtures/compose/compose-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

describeOnHomes('bad input of a composition', (home) => {
  const hub = createComposeHub(home);

  async function compose(name: string, changes: object): Promise<CompositionView> {
    const last = (await hub.followJob(await hub.start({ name, budget: 20, ...changes }))).at(-1);
    assert.ok(last?.type === 'done', JSON.stringify(last));
    return last.data.composition;
  }

  function assertSound({ examples, base, composed, stages, evaluations, budget }: CompositionReport, count: number): void {
    assert.equal(examples.length, count);
    for (const example of examples) assert.ok(Number.isFinite(example.base.nll) && Number.isFinite(example.composed.nll));
    assert.ok((composed.objective ?? Infinity) <= (base.objective ?? -Infinity), 'never worse than the base');
    assert.ok(evaluations <= budget);
    assert.equal(stages.length, 5);
  }

  it('one example: composed and advised without validation, with an interval that says how little is known', async () => {
    const { report } = await compose('me/one', { examples: request.examples.slice(0, 1) });
    assertSound(report, 1);
    assert.equal(report.examples[0]?.unseen, undefined);
    assert.equal(report.expected.composed?.interval[0], 0);
    assert.equal(report.expected.composed?.interval[1], Number.MAX_VALUE);
  });

  it('duplicates weigh as often as they are given', async () => {
    const [first, second] = request.examples;
    const { report } = await compose('me/doubled', { examples: [first, first, first, second] });
    assertSound(report, 4);
    const [a, b, , d] = report.examples.map(({ base }) => base.nll ?? NaN);
    assert.ok(Math.abs((a ?? NaN) - (b ?? NaN)) < 1e-4);
    assert.notEqual(a, d);
  });

  it('contradictory answers: no mixture is sure of both, so none is expected to be right more than half the time', async () => {
    const examples = ['a', 'b'].flatMap((answer) => Array.from({ length: 3 }, () => ({ prompt: 'x y', completion: ` ${answer}` })));
    const { report } = await compose('me/torn', { examples });
    assertSound(report, 6);
    for (const { success } of Object.values(report.expected)) assert.ok(success <= 0.5 + 1e-6, String(success));
  });

  it('an answer of one letter beside one of two hundred', async () => {
    const { report } = await compose('me/uneven', {
      examples: [
        { prompt: 'a', completion: 'b' },
        { prompt: 'a', completion: 'b'.repeat(200) },
      ],
    });
    assertSound(report, 2);
  });

  it('an answer of 500 letters is refused where the context is shorter', async () => {
    const examples = [{ prompt: 'a', completion: 'bc'.repeat(250) }];
    const { status, body } = await hub.post('/api/compositions/jobs', { ...request, name: 'me/long', examples });
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /EXAMPLE_TOO_LONG.*example 1.*may have 256/);
  });

  it('other languages and scripts', async () => {
    const { report } = await compose('me/tongues', {
      examples: [
        { prompt: 'Grüße', completion: ' Füße' },
        { prompt: '你好', completion: '世界' },
        { prompt: 'שלום', completion: ' עולם' },
        { prompt: '👋🏽', completion: ' 🌍' },
      ],
    });
    assertSound(report, 4);
  });

  it('labels that differ only by a space are two answers', async () => {
    const { report } = await compose('me/spaced', {
      examples: [
        { prompt: 'x y', completion: ' d' },
        { prompt: 'x y', completion: 'd' },
      ],
    });
    assertSound(report, 2);
    assert.notEqual(report.examples[0]?.base.nll, report.examples[1]?.base.nll);
  });

  it('as choices they are refused, since blanks around choices do not count', async () => {
    const { status, body } = await hub.post('/api/compositions/jobs', { ...request, name: 'me/blank', choices: ['the', ' the', 'd'] });
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /CHOICES_REPEATED/);
  });

  it('ten thousand examples are refused with the limit', async () => {
    const examples = Array.from({ length: 10_000 }, () => request.examples[0]);
    const { status, body } = await hub.post('/api/compositions/jobs', { ...request, name: 'me/many', examples });
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /EXAMPLES_TOO_MANY.*10000.*256/);
  });

  it('two copies of one adapter are one candidate', async () => {
    await hub.publish('me/copy', 'tiny/base', 1);
    const { recipe, report } = await compose('me/single', { adapters: ['me/first', 'me/copy'] });
    assert.deepEqual(
      recipe.candidates.map(({ adapter }) => adapter),
      ['me/first'],
    );
    assertSound(report, 2);
  });
});
