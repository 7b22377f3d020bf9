// The digest names what an adapter computes: it stays over everything else, and changes with every number.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { createAdapterConfig, createAdapterFile, createAdapterTensors, createSmallModules } from '#test/fixtures/small-adapter.js';

const digest = (config: Uint8Array, file: Uint8Array) =>
  digestOfAdapter(readPeftAdapter(parseAdapterConfig(config), file, createSmallModules()));

describe('the digest of an adapter', () => {
  const plain = digest(createAdapterConfig(), createAdapterFile());

  it('is a fixed number: registries keep it for ever', () => {
    // Made with Python's hashlib and struct. Exact numbers only: Math.sin may differ in its last place between engines.
    const file = encodeSafetensors({
      'base_model.model.model.layers.1.mlp.up_proj.lora_A.weight': float32Tensor([1, 6], [1, 2, 3, 4, 5, 6]),
      'base_model.model.model.layers.1.mlp.up_proj.lora_B.weight': float32Tensor([4, 1], [0.5, -0.25, 0, 8]),
    });
    const config = createAdapterConfig({ r: 1, lora_alpha: 3, target_modules: ['layers.1.mlp.up_proj'] });
    assert.equal(digest(config, file), 'sha256:9d2c8353d6199591cf56795b4e8770239737c89c0002569fedeacc1c7bf3591e');
  });

  it('stays when the same adapter is saved again', () => {
    const tensors = Object.entries(createAdapterTensors());
    const reversed = encodeSafetensors(Object.fromEntries(tensors.toReversed()), { format: 'np' });
    const bookkeeping = { target_modules: ['v_proj', 'q_proj'], peft_version: '1', inference_mode: true };
    assert.equal(digest(createAdapterConfig(bookkeeping), reversed), plain);
    assert.equal(digest(createAdapterConfig({ lora_alpha: 1, alpha_pattern: { '.*': 8 } }), createAdapterFile()), plain);
    const doubles = tensors.map(([name, { shape, bytes }]) => {
      const values = Float64Array.from(new Float32Array(bytes.slice().buffer));
      return [name, { dtype: 'F64', shape, bytes: new Uint8Array(values.buffer) }] as const;
    });
    assert.equal(digest(createAdapterConfig(), encodeSafetensors(Object.fromEntries(doubles))), plain);
  });

  it('changes with any weight, scale or place', () => {
    const name = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
    const tensors = createAdapterTensors();
    const values = new Float32Array(tensors[name]?.bytes.slice().buffer ?? new ArrayBuffer(0));
    values[0] = (values[0] ?? 0) + 1e-6;
    const others = [
      digest(createAdapterConfig(), encodeSafetensors({ ...tensors, [name]: float32Tensor([2, 6], values) })),
      digest(createAdapterConfig({ lora_alpha: 9 }), createAdapterFile()),
      digest(createAdapterConfig({ use_rslora: true }), createAdapterFile()),
      digest(
        createAdapterConfig({ target_modules: ['q_proj'] }),
        createAdapterFile(undefined, (path) => path.endsWith('q_proj')),
      ),
    ];
    assert.equal(new Set([plain, ...others]).size, 5);
  });
});
