// Strategies by name: presets, single stages, and what is refused.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseStrategy, nameStrategy, parseStrategy, PRESET_NAMES, PRESETS, spellValidation } from '#src/compose/strategy.js';

describe('strategy', () => {
  it('is a preset, with stages replaced by name', () => {
    assert.deepEqual(parseStrategy('lorahub'), PRESETS.lorahub);
    assert.deepEqual(parseStrategy('search=cma-es'), { ...PRESETS.weave, search: 'cma-es' });
    assert.deepEqual(parseStrategy('lorahub, screen=all ,prune=attribution'), { ...PRESETS.lorahub, screen: 'all', prune: 'attribution' });
  });

  it('has a name that says the same', () => {
    for (const name of PRESET_NAMES) assert.equal(nameStrategy(PRESETS[name]), name);
    const mixed = parseStrategy('weave,search=random,validate=none');
    assert.deepEqual(parseStrategy(nameStrategy(mixed)), mixed);
  });

  it('holds a part out where there are more than 40 examples, unless validation is named, absent or shots stand in front', () => {
    assert.equal(chooseStrategy('weave', { examples: 40 }).validate, 'cross-validation');
    assert.deepEqual(chooseStrategy('weave,search=random', { examples: 41 }), {
      ...PRESETS.weave,
      search: 'random',
      validate: 'held-out',
    });
    assert.equal(chooseStrategy('weave', { examples: 41, shots: 2 }).validate, 'cross-validation');
    for (const method of ['cross-validation', 'none'] as const) {
      assert.equal(chooseStrategy(`weave, validate=${method}`, { examples: 500 }).validate, method);
    }
    assert.equal(chooseStrategy('validate=held-out', { examples: 5 }).validate, 'held-out');
    assert.deepEqual(chooseStrategy('lorahub', { examples: 500 }), PRESETS.lorahub);
    for (const strategy of [PRESETS.weave, { ...PRESETS.weave, validate: 'held-out' } as const]) {
      assert.deepEqual(chooseStrategy(spellValidation(nameStrategy(strategy)), { examples: 500 }), strategy);
    }
  });

  for (const [text, message] of [
    ['best', /no best among the strategies.*weave, select-then-search, lorahub would do/],
    ['weave,lorahub', /no lorahub/],
    ['search=', /no search= among.*surrogate, cma-es/],
    ['weave,serch=cma-es', /no serch among.*screen, search, prune, validate would do/],
    ['toString', /no toString/],
    ['', /There is no .*weave/],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseStrategy(text), { code: 'STRATEGY_UNKNOWN', message });
    });
  }
});
