// Every kind of model as weighted adapters.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { digestOf } from '#src/ids/ids.js';
import { mixtureOfModel } from '#src/registry/mixture-of-model.js';
import type { ResolvedModel } from '#src/registry/registry.types.js';
import { newAdapterVersion, newCompositionVersion } from '#test/fixtures/registry-rows.js';

const baseModel = { name: 'org/base' } as ResolvedModel['baseModel'];

it('a base has none, an adapter itself at 1, a composition its parts and their space', () => {
  const adapter = { kind: 'adapter', baseModel, version: newAdapterVersion('me/one', baseModel) } as unknown as ResolvedModel;
  const composition = {
    kind: 'composition',
    baseModel,
    version: { ...newCompositionVersion('me/two', baseModel), space: 'factor' },
  } as unknown as ResolvedModel;
  assert.deepEqual(mixtureOfModel({ kind: 'base', baseModel }), { space: 'delta', parts: [] });
  assert.deepEqual(mixtureOfModel(adapter), { space: 'delta', parts: [{ digest: digestOf('content of me/one'), weight: 1 }] });
  assert.deepEqual(mixtureOfModel(composition), {
    space: 'factor',
    parts: [
      { digest: digestOf('first'), weight: 0.5 },
      { digest: digestOf('second'), weight: -0.25 },
    ],
  });
});
