// adapter_config.json: what plain LoRA may say, and everything that must be refused by name.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { MAX_CONFIG_BYTES, parseAdapterConfig } from '#src/peft/adapter-config.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';
import { createAdapterConfig } from '#test/fixtures/small-adapter.js';

function refused(bytes: Uint8Array, code: string, says: RegExp): void {
  assert.throws(
    () => parseAdapterConfig(bytes),
    (error: unknown) => {
      assert.ok(error instanceof BraidError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, /\{\w+\}/);
      assert.ok(error.message.length < 600);
      return true;
    },
  );
}

describe('a plain LoRA configuration', () => {
  it('is read with its defaults', () => {
    assert.deepEqual(parseAdapterConfig(createAdapterConfig()), {
      variant: 'lora',
      peftType: 'LORA',
      rank: 2,
      alpha: 8,
      useRslora: false,
      targets: ['q_proj', 'v_proj'],
      excluded: [],
      layers: undefined,
      layersPatterns: [],
      rankPattern: new Map(),
      alphaPattern: new Map(),
      baseModelName: 'tiny/llama',
    });
    const old = parseAdapterConfig(Buffer.from('{"peft_type":"LORA","target_modules":"all-linear"}'));
    assert.deepEqual([old.rank, old.alpha, old.useRslora, old.targets, old.baseModelName], [8, 8, false, 'all-linear', undefined]);
  });

  it('keeps patterns in their order, and takes a single layer or name for a list', () => {
    const config = parseAdapterConfig(
      createAdapterConfig({
        rank_pattern: { v_proj: 3, 'layers.1.self_attn.q_proj': 1 },
        alpha_pattern: { '.*': 0.5 },
        layers_to_transform: 1,
        layers_pattern: 'layers',
        exclude_modules: ['o_proj'],
        use_rslora: true,
      }),
    );
    const rankPattern = [...config.rankPattern];
    assert.deepEqual(rankPattern[0], ['v_proj', 3]);
    assert.deepEqual(rankPattern[1], ['layers.1.self_attn.q_proj', 1]);
    assert.deepEqual([...config.alphaPattern], [['.*', 0.5]]);
    assert.deepEqual([config.layers, config.layersPatterns, config.excluded, config.useRslora], [[1], ['layers'], ['o_proj'], true]);
  });

  it('may carry any bookkeeping, and any switch that is off', () => {
    parseAdapterConfig(
      createAdapterConfig({
        peft_version: '9.9.9',
        auto_mapping: { base_model_class: 'X' },
        lora_dropout: 0.1,
        qalora_group_size: 16,
        loftq_config: { loftq_bits: 4 },
        init_lora_weights: 'gaussian',
        a_field_of_tomorrow: null,
        another: false,
        a_third: {},
        a_fourth: [],
      }),
    );
  });
});

describe('what Braid does not take', () => {
  for (const type of ['IA3', 'OFT', 'VBLORA', 'PROMPT_TUNING', 'lora', 7, null]) {
    it(`is refused with what was found: peft_type ${type}`, () => {
      refused(createAdapterConfig({ peft_type: type }), 'ADAPTER_TYPE_UNSUPPORTED', new RegExp(`${type}.*LORA, ADALORA, LOKR`));
    });
  }

  const cases: readonly [field: string, value: unknown, says: RegExp][] = [
    ['bias', 'lora_only', /bias to "lora_only"/],
    ['bias', 'all', /bias to "all"/],
    ['lora_bias', true, /lora_bias/],
    ['modules_to_save', ['lm_head'], /\["lm_head"\]/],
    ['fan_in_fan_out', true, /transposed/],
    ['layer_replication', [[0, 4]], /layer_replication/],
    ['trainable_token_indices', [5], /embedding/],
    ['ensure_weight_tying', true, /share one adapter/],
    ['target_parameters', ['experts'], /target_parameters/],
    ['alora_invocation_tokens', [1, 2], /invocation/],
    ['use_qalora', true, /QALoRA/],
    ['arrow_config', { top_k: 2 }, /routes/],
    ['task_type', 'SEQ_CLS', /SEQ_CLS.*CAUSAL_LM/],
    ['init_lora_weights', 'pissa', /"pissa"/],
    ['init_lora_weights', 'pissa_niter_16', /pissa_niter_16/],
    ['init_lora_weights', 'olora', /olora/],
    ['init_lora_weights', 'corda', /corda/],
    ['init_lora_weights', 'loftq', /loftq/],
    ['a_field_of_tomorrow', true, /a_field_of_tomorrow to true.*unknown/],
    ['nested "quotes"', 1, /quotes/],
  ];
  for (const [field, value, says] of cases) {
    it(`is refused by name: ${field} = ${JSON.stringify(value)}`, () => {
      refused(createAdapterConfig({ [field]: value }), 'ADAPTER_FEATURE_UNSUPPORTED', says);
    });
  }
});

describe('a configuration that is broken', () => {
  const cases: readonly [title: string, bytes: Uint8Array, says: RegExp][] = [
    ['empty', Buffer.from(''), /not JSON/],
    ['not JSON', Buffer.from('peft_type: LORA'), /not JSON/],
    ['NaN, as Python writes it', Buffer.from('{"peft_type":"LORA","lora_alpha":NaN}'), /not JSON/],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not JSON/],
    ['an array', Buffer.from('[]'), /not an object/],
    ['null', Buffer.from('null'), /not an object/],
    ['too long', Buffer.alloc(MAX_CONFIG_BYTES + 1, ' '), /at most 1048576/],
    ['nested without end', Buffer.from('['.repeat(500_000)), /not JSON/],
    ['rank 0', createAdapterConfig({ r: 0 }), /r is 0/],
    ['rank -1', createAdapterConfig({ r: -1 }), /r is -1/],
    ['rank 1.5', createAdapterConfig({ r: 1.5 }), /r is 1.5/],
    ['rank 1e9', createAdapterConfig({ r: 1e9 }), /r is 1000000000.*1 to 1024/],
    ['rank as text', createAdapterConfig({ r: '8' }), /r is "8"/],
    ['alpha beyond numbers', Buffer.from('{"peft_type":"LORA","target_modules":["a"],"lora_alpha":1e999}'), /alpha is Infinity, .* finite/],
    ['alpha below numbers', Buffer.from('{"peft_type":"LORA","target_modules":["a"],"lora_alpha":-1e999}'), /alpha is -Infinity, /],
    ['a list with one beyond numbers', Buffer.from('{"peft_type":"LORA","target_modules":["a"],"r":[1e400]}'), /r is \["Infinity"\]/],
    ['alpha as text', createAdapterConfig({ lora_alpha: '16' }), /lora_alpha/],
    ['dora as text', createAdapterConfig({ use_dora: 'yes' }), /use_dora/],
    ['rslora as text', createAdapterConfig({ use_rslora: 'yes' }), /use_rslora/],
    ['no targets', createAdapterConfig({ target_modules: null }), /target_modules is null/],
    ['an empty list of targets', createAdapterConfig({ target_modules: [] }), /target_modules/],
    ['a number among the targets', createAdapterConfig({ target_modules: ['q_proj', 3] }), /target_modules holds 3/],
    ['too many targets', createAdapterConfig({ target_modules: Array(5000).fill('q') }), /5000 entries/],
    ['a very long target', createAdapterConfig({ target_modules: 'x'.repeat(10_000) }), /10000 characters/],
    ['a list of ranks', createAdapterConfig({ rank_pattern: [1] }), /rank_pattern/],
    ['an absurd rank in a pattern', createAdapterConfig({ rank_pattern: { q_proj: 5000 } }), /rank_pattern\["q_proj"\] is 5000/],
    ['a negative layer', createAdapterConfig({ layers_to_transform: [-1] }), /layers_to_transform/],
  ];
  for (const [title, bytes, says] of cases) {
    it(`is refused: ${title}`, () => refused(bytes, 'ADAPTER_CONFIG_INVALID', says));
  }
});

const golden = findSharedPath('golden');
test('every golden adapter is taken or refused for what it is', { skip: golden === undefined && sharedFolderMissing }, () => {
  const codes: Record<string, string> = {};
  for (const model of readdirSync(golden ?? '')) {
    for (const kind of ['adapters', 'refused']) {
      const folder = findSharedPath('golden', model, kind);
      for (const name of folder === undefined ? [] : readdirSync(folder)) {
        const bytes = readFileSync(join(folder ?? '', name, 'adapter_config.json'));
        try {
          parseAdapterConfig(bytes);
          codes[`${model}/${name}`] = 'taken';
        } catch (error) {
          codes[`${model}/${name}`] = error instanceof BraidError ? error.code : String(error);
        }
      }
    }
  }
  const expect = (name: string): string => {
    if (/\/(rslora-r8|dora-.*|adalora|loha|lokr|vera|lora-(r\d.*|layers|patterns|embed-head))$/.test(name)) {
      return name.startsWith('t5') ? 'ADAPTER_FEATURE_UNSUPPORTED' : 'taken';
    }
    return /\/(lora-bias|modules-to-save|trained-bias)$/.test(name) ? 'ADAPTER_FEATURE_UNSUPPORTED' : 'ADAPTER_TYPE_UNSUPPORTED';
  };
  for (const [name, code] of Object.entries(codes)) assert.equal(code, expect(name), name);
  assert.ok(Object.keys(codes).length > 30);
});
