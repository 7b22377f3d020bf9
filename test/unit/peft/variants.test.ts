// DoRA, AdaLoRA, LoKr, LoHa and VeRA as PEFT saves them: ranks and scales that come out, and every way in which a file may not fit.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { variants } from '#src/peft/variants/variants.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { createAdapterConfig, createSmallModules } from '#test/fixtures/small-adapter.js';
import { randomTensor, smallVariants, type Tensors } from '#test/fixtures/small-variants.js';

type Name = keyof typeof smallVariants;

const Q0 = 'base_model.model.model.layers.0.self_attn.q_proj';

function read(name: Name, tensors: Tensors = smallVariants[name].tensors(), changes: Readonly<Record<string, unknown>> = {}) {
  return readPeftAdapter(parseAdapterConfig(smallVariants[name].config(changes)), encodeSafetensors(tensors), createSmallModules());
}

function refused(read: () => unknown, code: string, says: RegExp): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof BraidError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, says);
    return true;
  });
}

describe('variants as PEFT saves them', () => {
  for (const [name, rank, scale] of [
    ['adalora', 3, 6 / 3.00001],
    // The smaller side of [2, 3], times r.
    ['lokr', 4, 2],
    ['loha', 4, 2],
    ['vera', 3, 1],
  ] as const) {
    it(`${name}: rank ${rank} and scale ${scale.toFixed(3)} in every module`, () => {
      const { modules } = read(name);
      assert.equal(modules.length, 4);
      for (const module of modules) {
        assert.deepEqual([module.rank, module.scale], [rank, scale]);
        assert.deepEqual([module.a.length, module.b.length], [rank * 6, 4 * rank]);
      }
    });
  }

  it('ranks and alphas may differ by patterns in LoKr and LoHa', () => {
    const tensors = smallVariants.loha.tensors();
    for (const layer of [0, 1]) {
      for (const factor of ['w1', 'w2']) {
        tensors[`base_model.model.model.layers.${layer}.self_attn.v_proj.hada_${factor}_a`] = randomTensor(4, 3);
        tensors[`base_model.model.model.layers.${layer}.self_attn.v_proj.hada_${factor}_b`] = randomTensor(3, 6);
      }
    }
    const { modules } = read('loha', tensors, { rank_pattern: { v_proj: 3 }, alpha_pattern: { v_proj: 12 } });
    assert.deepEqual(
      modules.map(({ rank, scale }) => [rank, scale]),
      [
        [4, 2],
        [9, 4],
        [4, 2],
        [9, 4],
      ],
    );
  });

  it('AdaLoRA drops pruned directions, and modules of which nothing is left', () => {
    const tensors = smallVariants.adalora.tensors();
    tensors[`${Q0}.lora_E`] = float32Tensor([3, 1], new Float32Array(3));
    tensors[`${Q0.replace('0', '1')}.lora_E`] = float32Tensor([3, 1], Float32Array.of(0, 1, 0));
    const pruned = Q0.replace('q_proj', 'v_proj');
    for (const [ending, shape] of [
      ['lora_A', [0, 6]],
      ['lora_B', [4, 0]],
      ['lora_E', [0, 1]],
    ] as const) {
      tensors[`${pruned}.${ending}`] = float32Tensor([...shape], new Float32Array());
    }
    const { modules } = read('adalora', tensors, { rank_pattern: { 'model.layers.0.self_attn.v_proj.lora_E': [false, false, false] } });
    assert.deepEqual(
      modules.map(({ layer, class: linearClass, rank }) => [layer, linearClass, rank]),
      [
        [1, 'q_proj', 1],
        [1, 'v_proj', 3],
      ],
    );
  });
});

describe('variants that do not fit', () => {
  for (const name of Object.keys(smallVariants) as Name[]) {
    it(`${name}: any tensor missing, one too many, of integers`, () => {
      const whole = smallVariants[name].tensors();
      for (const missing of Object.keys(whole)) {
        const { [missing]: _, ...rest } = whole;
        refused(() => read(name, rest), 'ADAPTER_TENSOR_MISSING', new RegExp(`lacks .*${missing.split('.').at(-1)}`));
      }
      refused(() => read(name, { ...whole, 'base_model.model.more': randomTensor(2) }), 'ADAPTER_TENSOR_UNKNOWN', /more/);
      const length = `${Q0}.lora_magnitude_vector`;
      if (name === 'dora') return;
      refused(() => read(name, { ...whole, [length]: randomTensor(4) }), 'ADAPTER_TENSOR_UNKNOWN', /DoRA/);
    });

    it(`${name}: tensors of another shape, also of another number of axes`, () => {
      const whole = smallVariants[name].tensors();
      for (const wrong of Object.keys(whole)) {
        for (const shape of [[1], [2, 2, 2], [1, 1], [0, 0]]) {
          refused(() => read(name, { ...whole, [wrong]: randomTensor(...shape) }), 'ADAPTER_SHAPE_MISMATCH', /needs?/);
        }
      }
    });

    it(`${name}: a number that is not finite`, () => {
      const whole = smallVariants[name].tensors();
      const [first = ''] = Object.keys(whole);
      const { shape = [] } = whole[first] ?? {};
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(NaN);
      refused(() => read(name, { ...whole, [first]: float32Tensor([...shape], values) }), 'ADAPTER_NOT_FINITE', /NaN/);
    });

    it(`${name}: a configuration that asks for more`, () => {
      refused(() => read(name, undefined, { modules_to_save: ['lm_head'] }), 'ADAPTER_FEATURE_UNSUPPORTED', /replaces whole modules/);
      refused(() => read(name, undefined, { bias: 'all' }), 'ADAPTER_FEATURE_UNSUPPORTED', /bias/);
      refused(() => read(name, undefined, { a_field_of_tomorrow: 1 }), 'ADAPTER_FEATURE_UNSUPPORTED', /unknown/);
      refused(() => read(name, undefined, { [name === 'adalora' ? 'init_r' : 'r']: 0 }), 'ADAPTER_CONFIG_INVALID', /whole number from 1/);
    });
  }

  it('DoRA without a base to measure is no adapter yet', () => {
    assert.throws(() => read('dora'), /needs its gain/);
  });

  it('A and B of AdaLoRA exchanged', () => {
    const whole = smallVariants.adalora.tensors();
    const [a, b] = [whole[`${Q0}.lora_A`], whole[`${Q0}.lora_B`]];
    assert.ok(a && b);
    refused(() => read('adalora', { ...whole, [`${Q0}.lora_A`]: b, [`${Q0}.lora_B`]: a }), 'ADAPTER_SHAPE_MISMATCH', /lora_A/);
  });

  it('LoKr factors that do not multiply to the shape', () => {
    const whole = smallVariants.lokr.tensors();
    const says = /rows and columns that with those of lokr_w1 multiply to 4, 6, not to 6, 6/;
    refused(() => read('lokr', { ...whole, [`${Q0}.lokr_w1`]: randomTensor(3, 3) }), 'ADAPTER_SHAPE_MISMATCH', says);
  });

  it('VeRA without its projections: how to save them', () => {
    refused(() => read('vera', undefined, { save_projection: false }), 'ADAPTER_FEATURE_UNSUPPORTED', /save_projection=True/);
  });

  it('LoHa of a rank whose square is too large', () => {
    const module = { path: 'layer', layer: 0, class: 'q_proj', dIn: 40, dOut: 40 } as const;
    const file = encodeSafetensors(
      Object.fromEntries(
        ['w1', 'w2'].flatMap((factor) => [
          [`base_model.model.layer.hada_${factor}_a`, randomTensor(40, 33)],
          [`base_model.model.layer.hada_${factor}_b`, randomTensor(33, 40)],
        ]),
      ),
    );
    const config = parseAdapterConfig(smallVariants.loha.config({ r: 33, target_modules: ['layer'] }));
    refused(() => readPeftAdapter(config, file, [module]), 'ADAPTER_RANK_TOO_LARGE', /LoHa update of layer has rank 1089, at most 1024/);
  });
});

describe('docs/variants.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../../docs/variants.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));

  it('has a row for every variant that is taken, and says of every other one why not', () => {
    const said = new Map(rows.map((row) => row.split('|').map((cell) => cell.trim())).map(([, type = '', taken = '']) => [type, taken]));
    for (const { peftType, feature } of Object.values(variants)) {
      const type = feature === undefined ? peftType : `${peftType}, ${feature}`;
      assert.equal(said.get(`\`${type}\``), 'yes', type);
    }
    for (const [type, taken] of said) {
      const name = type.replaceAll('`', '');
      if (taken === 'yes') {
        assert.ok(
          Object.values(variants).some(({ peftType }) => peftType === name.split(',')[0]),
          `${name} is not taken`,
        );
      } else {
        const [peftType = '', field] = name.split(', ');
        const changes = { peft_type: peftType, ...(field !== undefined && { [field]: true }) };
        const parse = () => parseAdapterConfig(createAdapterConfig(changes));
        refused(parse, field === undefined ? 'ADAPTER_TYPE_UNSUPPORTED' : 'ADAPTER_FEATURE_UNSUPPORTED', new RegExp(field ?? peftType));
      }
    }
  });
});
