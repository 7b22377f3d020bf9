// DoRA's gain, measured on a model's own files: straight weights, the embedding that lies turned, and an output layer that is tied to it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import type { LinearModule } from '#kernels/lora/modules.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import type { PlannedModule } from '#src/peft/planned-module.js';
import { measureGain } from '#src/publish/measure-gain.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { createTinyTensors, TINY_CONFIG, writeTinyModel } from '#test/fixtures/tiny-model.js';

const RANK = 3;
const SCALE = 1.5;
const root = mkdtempSync(join(tmpdir(), 'braid-gain-'));
after(() => rmSync(root, { recursive: true }));
writeTinyModel(root);
const { path: directory, config: raw, tensors } = readModelDirectory(root);
const config = parseModelConfig(raw);
const random = createRandomTensors(7);

function planOf(module: LinearModule): PlannedModule {
  const tensor = (name: string, shape: number[]) => ({ name, dtype: 'F32' as const, shape, offset: 0, length: 0 });
  const { dIn, dOut } = module;
  const shapes = { a: tensor('a', [RANK, dIn]), b: tensor('b', [dOut, RANK]), magnitude: tensor('magnitude', [dOut]) };
  return { module, variant: 'dora', rank: RANK, scale: SCALE, tensors: shapes };
}

for (const module of listLinearModules(parseModelConfig(TINY_CONFIG)).filter(
  ({ layer, class: target }) => layer === 0 || target === 'q_proj',
)) {
  it(module.path, async () => {
    const { dIn, dOut, class: target } = module;
    const vector = (length: number): Float32Array => Float32Array.from(random.vector(length));
    const values = { a: vector(RANK * dIn), b: vector(dOut * RANK), magnitude: vector(dOut).map((value) => Math.abs(value) + 0.5) };
    const found = await measureGain(planOf(module), values, 'file', () => Promise.resolve({ directory, config, tensors }));
    const source = createTinyTensors()[target === 'lm_head' ? 'model.embed_tokens.weight' : `${module.path}.weight`];
    assert.ok(source && found);
    const base = new Float32Array(source.bytes.slice().buffer);
    for (let o = 0; o < dOut; o++) {
      const row = Array.from({ length: dIn }, (_, n) => {
        let value = base[target === 'embed_tokens' ? n * dOut + o : o * dIn + n] ?? NaN;
        for (let i = 0; i < RANK; i++) value += SCALE * (values.b[o * RANK + i] ?? NaN) * (values.a[i * dIn + n] ?? NaN);
        return value;
      });
      const expected = (values.magnitude[o] ?? NaN) / Math.hypot(...row) - 1;
      assert.ok(Math.abs((found.gain[o] ?? NaN) - expected) < 1e-6, `row ${o}: ${found.gain[o]} instead of ${expected}`);
    }
  });
}

it('a row that training brought to zero is refused, by its place', async () => {
  const [module] = listLinearModules(config);
  assert.ok(module);
  const source = createTinyTensors()[`${module.path}.weight`];
  assert.ok(source);
  const base = new Float32Array(source.bytes.slice().buffer);
  // The one direction of A that counts is row 1 itself, and B takes it away.
  const a = new Float32Array(RANK * module.dIn);
  a.set(base.subarray(module.dIn, 2 * module.dIn));
  const b = new Float32Array(module.dOut * RANK);
  b[RANK] = -1 / SCALE;
  const values = { a, b, magnitude: new Float32Array(module.dOut).fill(1) };
  await assert.rejects(
    measureGain(planOf(module), values, 'file', () => Promise.resolve({ directory, config, tensors })),
    { code: 'ADAPTER_MAGNITUDE_INVALID', message: /row 1 of the adapted weight is zero/ },
  );
});
