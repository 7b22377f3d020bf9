// Which adapters have a common factor space, as their rows tell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVersion } from '#src/ids/ids.js';
import { findFactorMismatch } from '#src/registry/find-factor-mismatch.js';
import type { Repository } from '#src/registry/repository.entity.js';

type Shape = Parameters<typeof findFactorMismatch>[0][number];

function shape(name: string, changes: Partial<Shape> = {}): Shape {
  return {
    repository: { fullName: name } as Repository,
    version: parseVersion('1.0.0'),
    rank: 16,
    useRslora: false,
    peftType: 'LORA',
    adapterConfig: {},
    targetModules: ['q_proj', 'v_proj'],
    ...changes,
  };
}

test('adapters of one shape agree, and so do one and none', () => {
  assert.equal(findFactorMismatch([]), undefined);
  assert.equal(findFactorMismatch([shape('a/b')]), undefined);
  assert.equal(findFactorMismatch([shape('a/b'), shape('a/c'), shape('a/d')]), undefined);
});

test('two of another kind have none, although their shapes agree', () => {
  const found = findFactorMismatch([shape('a/b', { peftType: 'LOKR' }), shape('a/c', { peftType: 'LOKR' })]);
  assert.equal(found?.reason, 'are of kind LOKR, which has no factor space');
});

for (const [changes, reason] of [
  [{ rank: 8 }, 'have ranks 16 and 8'],
  [{ useRslora: true }, 'scale by alpha/r and by alpha/√r'],
  [{ targetModules: ['q_proj'] }, 'target q_proj, v_proj and q_proj'],
  [{ peftType: 'LOKR' }, 'are of kinds LORA and LOKR'],
  [{ adapterConfig: { use_dora: true } }, 'are of kinds LORA and DoRA'],
] as const) {
  test(reason, () => {
    const found = findFactorMismatch([
      shape('a/b'),
      shape('a/c'),
      shape('a/d', { ...changes, targetModules: [...(changes.targetModules ?? ['q_proj', 'v_proj'])] }),
    ]);
    assert.deepEqual(found, { first: 'a/b@1.0.0', second: 'a/d@1.0.0', reason });
  });
}
