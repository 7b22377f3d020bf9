// Every kind of model as weighted adapters.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { digestOf } from '#src/ids/ids.js';
import { mixtureOfModel } from '#src/registry/mixture-of-model.js';
import type { ResolvedModel } from '#src/registry/registry.types.js';
import { newAdapterVersion, newCompositionVersion } from '#test/fixtures/registry-rows.js';

const baseModel = { name: 'org/base' } as ResolvedModel['baseModel'];

it('a base has none, an adapter itself at 1, a composition its parts', () => {
  const adapter = { kind: 'adapter', baseModel, version: newAdapterVersion('me/one', baseModel) } as unknown as ResolvedModel;
  const composition = { kind: 'composition', baseModel, version: newCompositionVersion('me/two', baseModel) } as unknown as ResolvedModel;
  assert.deepEqual(mixtureOfModel({ kind: 'base', baseModel }), []);
  assert.deepEqual(mixtureOfModel(adapter), [{ digest: digestOf('content of me/one'), weight: 1 }]);
  assert.deepEqual(mixtureOfModel(composition), [
    { digest: digestOf('first'), weight: 0.5 },
    { digest: digestOf('second'), weight: -0.25 },
  ]);
});
