// Adapters on a base: the factors and scales that come out, and every way in which a file may not fit.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { BraidError } from '#src/http/braid-error.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { deltaNorm, deltaNormInTurns } from '#src/peft/delta-norm.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { createAdapterConfig, createAdapterFile, createAdapterTensors, createSmallModules } from '#test/fixtures/small-adapter.js';

const read = (config: Uint8Array, file: Uint8Array) => readPeftAdapter(parseAdapterConfig(config), file, createSmallModules());
const shapeOf = ({ layer, class: linearClass, rank, scale }: CanonicalModule) => [layer, linearClass, rank, scale];
const Q0 = 'base_model.model.model.layers.0.self_attn.q_proj';

describe('an adapter that fits', () => {
  it('becomes factors in the orientation A [r, dIn], B [dOut, r], in the order of the base', () => {
    const tensors = createAdapterTensors();
    const reversed = Object.fromEntries(Object.entries(tensors).reverse());
    const { modules } = read(createAdapterConfig(), encodeSafetensors(reversed));
    assert.deepEqual(modules.map(shapeOf), [
      [0, 'q_proj', 2, 4],
      [0, 'v_proj', 2, 4],
      [1, 'q_proj', 2, 4],
      [1, 'v_proj', 2, 4],
    ]);
    const a = tensors[`${Q0}.lora_A.weight`];
    const b = tensors[`${Q0}.lora_B.weight`];
    assert.ok(a && b);
    assert.deepEqual(modules[0]?.a, new Float32Array(a.bytes.slice().buffer));
    assert.deepEqual(modules[0]?.b, new Float32Array(b.bytes.slice().buffer));
  });

  it('has s = alpha/r, or alpha/√r with rsLoRA', () => {
    assert.equal(read(createAdapterConfig({ lora_alpha: 5 }), createAdapterFile()).modules[0]?.scale, 2.5);
    assert.equal(read(createAdapterConfig({ use_rslora: true }), createAdapterFile()).modules[0]?.scale, 8 / Math.sqrt(2));
  });

  it('may differ in rank and alpha from module to module', () => {
    const config = createAdapterConfig({ rank_pattern: { v_proj: 3 }, alpha_pattern: { 'layers.1.self_attn.v_proj': 30, q_proj: 1 } });
    const { modules } = read(
      config,
      createAdapterFile((path) => (path.endsWith('v_proj') ? 3 : 2)),
    );
    assert.deepEqual(modules.map(shapeOf), [
      [0, 'q_proj', 2, 0.5],
      [0, 'v_proj', 3, 8 / 3],
      [1, 'q_proj', 2, 0.5],
      [1, 'v_proj', 3, 10],
    ]);
  });

  it('may leave layers out', () => {
    const file = createAdapterFile(undefined, (path) => path === 'model.layers.1.self_attn.q_proj');
    const { modules } = read(createAdapterConfig({ target_modules: ['q_proj'], layers_to_transform: [1] }), file);
    assert.deepEqual(modules.map(shapeOf), [[1, 'q_proj', 2, 4]]);
  });

  it('may be float16 or bfloat16', () => {
    const halves = createAdapterTensors();
    const repeat = (count: number, half: number) => new Uint8Array(new Uint16Array(count).fill(half).buffer);
    halves[`${Q0}.lora_A.weight`] = { dtype: 'F16', shape: [2, 6], bytes: repeat(12, 0x3e00) };
    halves[`${Q0}.lora_B.weight`] = { dtype: 'BF16', shape: [4, 2], bytes: repeat(8, 0xc020) };
    const { modules } = read(createAdapterConfig(), encodeSafetensors(halves));
    assert.deepEqual(modules[0]?.a, new Float32Array(12).fill(1.5));
    assert.deepEqual(modules[0]?.b, new Float32Array(8).fill(-2.5));
  });
});

describe('an adapter that does not fit', () => {
  function refused(file: Uint8Array, code: string, says: RegExp, config = createAdapterConfig()): void {
    assert.throws(
      () => read(config, file),
      (error: unknown) => {
        assert.ok(error instanceof BraidError, String(error));
        assert.equal(error.code, code, error.message);
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /\{\w+\}/);
        return true;
      },
    );
  }
  const withTensor = (name: string, tensor = float32Tensor([2, 6], Array(12).fill(1))) =>
    encodeSafetensors({ ...createAdapterTensors(), [name]: tensor });

  it('is refused when it is empty', () => refused(encodeSafetensors({}), 'ADAPTER_EMPTY', /no tensors of an adapter/));

  it('is refused when a tensor is of no module', () => {
    const of = (module: string) => withTensor(`base_model.model.${module}.lora_A.weight`);
    refused(of('model.layers.7.self_attn.q_proj'), 'ADAPTER_TENSOR_UNKNOWN', /layer 7, and the base has 2/);
    refused(of('lm_head'), 'ADAPTER_TENSOR_UNKNOWN', /"lm_head" is none of/);
    refused(of('model.layers.0.self_attn.qkv_proj'), 'ADAPTER_TENSOR_UNKNOWN', /qkv_proj/);
  });

  it('is refused when a tensor is no factor', () => {
    for (const ending of [
      'lora_B.bias',
      'lora_magnitude_vector',
      'base_layer.weight',
      'lora_embedding_A',
      'lora_A.default.weight',
      'hada_w1_a',
    ]) {
      refused(withTensor(`${Q0}.${ending}`), 'ADAPTER_TENSOR_UNKNOWN', new RegExp(ending.replaceAll('.', '\\.')));
    }
    refused(withTensor('x'.repeat(100_000)), 'ADAPTER_TENSOR_UNKNOWN', /^.{0,600}$/);
  });

  it('is refused when its module is not targeted', () => {
    const config = createAdapterConfig({ target_modules: ['q_proj'] });
    refused(createAdapterFile(), 'ADAPTER_TENSOR_UNKNOWN', /v_proj.*does not target/, config);
  });

  it('is refused when factors are missing', () => {
    const all = Object.entries(createAdapterTensors());
    const withoutFirst = encodeSafetensors(Object.fromEntries(all.slice(1)));
    refused(withoutFirst, 'ADAPTER_TENSOR_MISSING', /lacks 1 .*0\.self_attn\.q_proj\.lora_A/);
    const config = createAdapterConfig({ target_modules: ['q_proj', 'k_proj', 'v_proj'] });
    refused(createAdapterFile(), 'ADAPTER_TENSOR_MISSING', /lacks 4 .*k_proj/, config);
  });

  it('is refused when a shape is that of another base or rank', () => {
    const withA = (shape: number[]) =>
      withTensor(`${Q0}.lora_A.weight`, float32Tensor(shape, Array(shape.reduce((x, y) => x * y)).fill(1)));
    refused(withA([2, 5]), 'ADAPTER_SHAPE_MISMATCH', /\[2, 5\].*\[2, 6\]/);
    refused(withA([6, 2]), 'ADAPTER_SHAPE_MISMATCH', /\[6, 2\].*\[2, 6\]/);
    refused(withA([12]), 'ADAPTER_SHAPE_MISMATCH', /\[12\]/);
    refused(withA([0, 6]), 'ADAPTER_SHAPE_MISMATCH', /\[0, 6\]/);
    refused(withTensor(`${Q0}.lora_B.weight`), 'ADAPTER_SHAPE_MISMATCH', /\[2, 6\].*\[4, 2\]/);
    refused(
      createAdapterFile(() => 3),
      'ADAPTER_SHAPE_MISMATCH',
      /\[3, 6\].*\[2, 6\]/,
    );
  });

  it('is refused when a weight is not finite', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const values = Array<number>(12).fill(1);
      values[7] = bad;
      const file = withTensor(`${Q0}.lora_A.weight`, float32Tensor([2, 6], values));
      refused(file, 'ADAPTER_NOT_FINITE', new RegExp(`holds ${bad} at index 7`));
    }
    const tooLarge = { dtype: 'F64', shape: [2, 6], bytes: new Uint8Array(new Float64Array(12).fill(1e300).buffer) };
    refused(withTensor(`${Q0}.lora_A.weight`, tooLarge), 'ADAPTER_NOT_FINITE', /Infinity/);
  });

  it('is refused when its numbers are integers', () => {
    const tensor = { dtype: 'I32', shape: [2, 6], bytes: new Uint8Array(48) };
    refused(withTensor(`${Q0}.lora_A.weight`, tensor), 'SAFETENSORS_DTYPE_UNSUPPORTED', /I32.*F32, F16, BF16, F64/);
  });
});

describe('deltaNorm', () => {
  it('is the Frobenius norm of s·B·A', async () => {
    const [dIn, dOut] = [6, 4];
    for (const module of read(createAdapterConfig(), createAdapterFile()).modules) {
      let sum = 0;
      for (let o = 0; o < dOut; o++) {
        for (let i = 0; i < dIn; i++) {
          let value = 0;
          for (let k = 0; k < module.rank; k++) value += (module.b[o * module.rank + k] ?? NaN) * (module.a[k * dIn + i] ?? NaN);
          sum += (module.scale * value) ** 2;
        }
      }
      assert.ok(Math.abs(deltaNorm(module) - Math.sqrt(sum)) < 1e-12 * Math.sqrt(sum));
      assert.equal(await deltaNormInTurns(module), deltaNorm(module));
    }
  });

  it('is 0 when B, A or the scale is, or when they are orthogonal', () => {
    const base = { layer: 0, class: 'q_proj', rank: 2, scale: 1, a: Float32Array.of(1, 2, 0, 0), b: Float32Array.of(0, 3, 0, 1) } as const;
    assert.equal(deltaNorm({ ...base, b: new Float32Array(4) }), 0);
    assert.equal(deltaNorm({ ...base, a: new Float32Array(4) }), 0);
    assert.equal(deltaNorm({ ...base, scale: 0, b: Float32Array.of(1, 3, 0, 1) }), 0);
    assert.equal(deltaNorm(base), 0, 'the only non-zero column of B meets the zero row of A');
    assert.ok(deltaNorm({ ...base, b: Float32Array.of(1, 3, 0, 1) }) > 0);
  });
});
