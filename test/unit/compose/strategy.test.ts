// Strategies by name: presets, single stages, and what is refused.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameStrategy, parseStrategy, PRESET_NAMES, PRESETS } from '#src/compose/strategy.js';

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
