// Which modules a configuration speaks of, as PEFT matches them, and that hostile patterns cannot hold the process.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LinearModule } from '#kernels/lora/modules.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { findPatternValues, findTargetModules } from '#src/peft/match-modules.js';
import { createAdapterConfig, createSmallModules } from '#test/fixtures/small-adapter.js';

const modules = createSmallModules();
const targets = (changes: Record<string, unknown>) =>
  findTargetModules(parseAdapterConfig(createAdapterConfig(changes)), modules).map(({ path }) => path);
const values = (patterns: Record<string, number>) => findPatternValues(new Map(Object.entries(patterns)), modules, 'rank_pattern');
const valueOf = (patterns: Record<string, number>, path: string) => values(patterns)[modules.findIndex((module) => module.path === path)];

describe('target_modules', () => {
  it('as a list names whole modules or the end of their names', () => {
    assert.deepEqual(targets({ target_modules: ['q_proj'] }), ['model.layers.0.self_attn.q_proj', 'model.layers.1.self_attn.q_proj']);
    assert.deepEqual(targets({ target_modules: ['model.layers.1.mlp.up_proj'] }), ['model.layers.1.mlp.up_proj']);
    assert.deepEqual(targets({ target_modules: ['1.mlp.up_proj'] }), ['model.layers.1.mlp.up_proj']);
    assert.deepEqual(targets({ target_modules: ['_proj', 'proj', 'layers'] }), []);
  });

  it('as a list is not a list of patterns', () => {
    assert.deepEqual(targets({ target_modules: ['.*'] }), []);
  });

  it('as a string is one expression over the whole name', () => {
    assert.deepEqual(targets({ target_modules: '.*layers\\.0\\.self_attn\\.(q|k)_proj' }), [
      'model.layers.0.self_attn.q_proj',
      'model.layers.0.self_attn.k_proj',
    ]);
    assert.deepEqual(targets({ target_modules: 'q_proj' }), []);
    assert.deepEqual(targets({ target_modules: '.*q_proj|.*up_proj' }).length, 4);
  });

  it('all-linear is every module of the layers, neither the embedding nor the output layer', () => {
    const all: LinearModule[] = [
      ...modules,
      { path: 'model.embed_tokens', layer: 0, class: 'embed_tokens', dIn: 9, dOut: 6 },
      { path: 'lm_head', layer: 0, class: 'lm_head', dIn: 6, dOut: 9 },
    ];
    const find = (target_modules: unknown) => findTargetModules(parseAdapterConfig(createAdapterConfig({ target_modules })), all);
    assert.deepEqual(find('all-linear'), modules);
    assert.deepEqual(find(['lm_head', 'embed_tokens']), all.slice(-2));
  });

  it('leaves out exclude_modules', () => {
    assert.deepEqual(targets({ target_modules: ['q_proj', 'v_proj'], exclude_modules: ['0.self_attn.q_proj'] }).length, 3);
    assert.deepEqual(targets({ target_modules: 'all-linear', exclude_modules: '.*mlp.*' }).length, 8);
  });

  it('is limited to layers_to_transform, where it is a list', () => {
    assert.deepEqual(targets({ target_modules: ['q_proj'], layers_to_transform: [1] }), ['model.layers.1.self_attn.q_proj']);
    assert.deepEqual(targets({ target_modules: ['q_proj'], layers_to_transform: 0, layers_pattern: 'layers' }), [
      'model.layers.0.self_attn.q_proj',
    ]);
    assert.deepEqual(targets({ target_modules: ['q_proj'], layers_to_transform: [0], layers_pattern: ['h'] }), []);
    assert.deepEqual(targets({ target_modules: '.*q_proj', layers_to_transform: [1] }).length, 2);
  });
});

describe('patterns', () => {
  it('match the end of a name, on the border of a segment', () => {
    assert.equal(valueOf({ q_proj: 7 }, 'model.layers.0.self_attn.q_proj'), 7);
    assert.equal(valueOf({ _proj: 7 }, 'model.layers.0.self_attn.q_proj'), undefined);
    assert.equal(valueOf({ 'layers.1.mlp.up_proj': 2 }, 'model.layers.1.mlp.up_proj'), 2);
    assert.equal(valueOf({ 'layers.1.mlp.up_proj': 2 }, 'model.layers.0.mlp.up_proj'), undefined);
    assert.equal(valueOf({ '^model.layers.0.mlp.up_proj': 2 }, 'model.layers.0.mlp.up_proj'), 2);
    assert.equal(valueOf({ '^layers.0.mlp.up_proj': 2 }, 'model.layers.0.mlp.up_proj'), undefined);
    assert.equal(valueOf({ 'layers\\.[01]\\.mlp\\.(up|down)_proj': 3 }, 'model.layers.0.mlp.down_proj'), 3);
  });

  it('take precedence in their order', () => {
    assert.equal(valueOf({ '.*': 1, q_proj: 2 }, 'model.layers.0.self_attn.q_proj'), 1);
    assert.equal(valueOf({ q_proj: 2, '.*': 1 }, 'model.layers.0.self_attn.q_proj'), 2);
  });

  it('say nothing where there are none', () =>
    assert.deepEqual(
      values({}),
      modules.map(() => undefined),
    ));
});

describe('hostile patterns', () => {
  it('that backtrack without end are stopped soon', () => {
    const start = performance.now();
    const pattern = '(.*.*)*(.*.*)*(.*.*)*x';
    const expected = { code: 'ADAPTER_PATTERN_INVALID', message: /too long/ };
    assert.throws(() => values({ [pattern]: 1 }), expected);
    assert.throws(() => targets({ exclude_modules: pattern }), expected);
    assert.ok(performance.now() - start < 5_000);
  });

  it('that JavaScript reads otherwise than Python, or not at all, are refused', () => {
    for (const pattern of ['(', 'a)|(b', '\\Zq_proj', '(?P<name>q)_proj', 'q_proj\\']) {
      assert.throws(() => targets({ target_modules: pattern }), {
        code: 'ADAPTER_PATTERN_INVALID',
        message: /target_modules.*regular expression/,
      });
    }
  });
});
