// The ways of naming adapters come to one; two at once and what would mean something else are refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { findRequestedAdapters } from '#src/serve/requested-adapters.js';

const MERGED = { ids: ['a/one', 'a/two'], weights: [0.5, -1] };

function refuses(code: string, field: string): (error: unknown) => boolean {
  return (error) => error instanceof BraidError && error.code === code && error.fields['field'] === field;
}

describe('adapters of a request', () => {
  test('none, also as LoRAX writes it', () => {
    for (const fields of [
      {},
      { adapter_id: null, mixture: null },
      { adapter_id: '' },
      { adapter_id: '__base_model__', adapter_source: 'hub' },
    ]) {
      assert.deepEqual(findRequestedAdapters(fields), { kind: 'none' });
    }
  });

  test('a linear merge has the weights as they are, in factor space unless delta is named', () => {
    const parts = [
      { adapter: 'a/one', weight: 0.5, field: 'merged_adapters.ids[0]' },
      { adapter: 'a/two', weight: -1, field: 'merged_adapters.ids[1]' },
    ];
    const expected = { kind: 'mixture', field: 'merged_adapters', space: 'delta', parts };
    assert.deepEqual(findRequestedAdapters({ merged_adapters: MERGED }), expected);
    assert.deepEqual(findRequestedAdapters({ merged_adapters: { ...MERGED, space: 'factor' } }), { ...expected, space: 'factor' });
  });

  test('two ways, other strategies and other sources are refused', () => {
    const both = { merged_adapters: MERGED, adapter_id: 'a/one' };
    assert.throws(() => findRequestedAdapters(both), refuses('INVALID_VALUE', 'merged_adapters'));
    for (const merge_strategy of ['ties', 'dare_linear', 'dare_ties']) {
      const merged = { merged_adapters: { ...MERGED, merge_strategy } };
      assert.throws(() => findRequestedAdapters(merged), refuses('MERGE_STRATEGY_UNSUPPORTED', 'merged_adapters.merge_strategy'));
    }
    const short = { merged_adapters: { ...MERGED, weights: [1] } };
    assert.throws(() => findRequestedAdapters(short), refuses('INVALID_VALUE', 'merged_adapters.weights'));
    assert.throws(
      () => findRequestedAdapters({ adapter_id: 'a/b', adapter_source: 's3' }),
      refuses('UNSUPPORTED_PARAMETER', 'adapter_source'),
    );
  });
});
