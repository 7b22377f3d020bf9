// Families that differ from Llama through the command line and the API: planned, added, an adapter published and found, and then the numbers
// of the float64 decoder come back.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { listLinearModules } from '#kernels/models/models.js';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';
import { writeRandomModel, type RandomModel } from '#test/fixtures/random-model.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { encodeSafetensors, float32Tensor, type TensorToWrite } from '#test/fixtures/safetensors-file.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';
import { referenceLogits, referenceLogSoftmax, type ReferenceDelta } from '#test/reference/decoder.js';
import { startHubProcess, type HubProcess } from './cli-process.js';

const TOLERANCE = 1e-4;
const RANK = 4;
const ALPHA = 8;
const COMMON = {
  ...{ hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
  ...{ vocab_size: 272, max_position_embeddings: 256, rms_norm_eps: 1e-5, bos_token_id: 0, eos_token_id: 1 },
};
const FAMILIES = {
  gemma2: {
    config: { architectures: ['Gemma2ForCausalLM'], model_type: 'gemma2', sliding_window: 8, query_pre_attn_scalar: 16 },
    targets: ['q_proj', 'v_proj', 'down_proj'],
    missing: 'qkv_proj',
  },
  phi3: {
    config: { architectures: ['Phi3ForCausalLM'], model_type: 'phi3', sliding_window: 20 },
    targets: ['qkv_proj', 'gate_up_proj', 'o_proj'],
    missing: 'q_proj',
  },
} as const;

let folder: string;
let hub: HubProcess;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'braid-families-'));
  await placeEmbeddedDatabase(join(folder, 'data'));
  hub = await startHubProcess(join(folder, 'data'));
});

after(async () => {
  const { status, err } = await hub.stop();
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, `the hub did not stop well: ${err}`);
});

/** A model directory with tokenizer. */
function writeModel(directory: string, family: object): RandomModel {
  mkdirSync(directory);
  const json = { ...COMMON, ...family };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(json));
  writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(byteLevelTokenizerFiles().tokenizer));
  writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify({ bos_token: '<s>', eos_token: '</s>' }));
  return writeRandomModel(directory, parseDecoderConfig(json), 'F32', ['model.safetensors']);
}

/** An adapter's directory as PEFT writes it, and the same for the reference. */
function writeAdapter(directory: string, family: object, targets: readonly string[]): Map<string, ReferenceDelta[]> {
  mkdirSync(directory);
  const random = createRandomTensors(7);
  const tensors: Record<string, TensorToWrite> = {};
  const deltas = new Map<string, ReferenceDelta[]>();
  for (const { path, class: target, dIn, dOut } of listLinearModules(parseDecoderConfig({ ...COMMON, ...family }))) {
    if (!targets.includes(target)) continue;
    const [a, b] = [random.matrix(RANK, dIn, 0.3), random.matrix(dOut, RANK, 0.3)];
    tensors[`base_model.model.${path}.lora_A.weight`] = float32Tensor([RANK, dIn], a.flat());
    tensors[`base_model.model.${path}.lora_B.weight`] = float32Tensor([dOut, RANK], b.flat());
    deltas.set(path, [{ a, b, scale: ALPHA / RANK }]);
  }
  const config = { peft_type: 'LORA', task_type: 'CAUSAL_LM', r: RANK, lora_alpha: ALPHA, target_modules: targets, bias: 'none' };
  writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify(config));
  writeFileSync(join(directory, 'adapter_model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
  return deltas;
}

for (const [family, { config, targets, missing }] of Object.entries(FAMILIES)) {
  describe(family, () => {
    const base = `tiny/${family}`;
    let model: RandomModel;
    let deltas: Map<string, ReferenceDelta[]>;
    before(() => {
      model = writeModel(join(folder, family), config);
      deltas = writeAdapter(join(folder, `${family}-adapter`), config, targets);
    });

    it('is planned for as it is added, with its own modules', async () => {
      const directory = join(folder, family);
      const plan = await hub.json<{ model: { parameters: number }; modules: { class: string }[] }>(
        ...['plan', '--base', directory, '--rank', String(RANK), '--targets', targets.join()],
      );
      assert.deepEqual(new Set(plan.modules.map((module) => module.class)), new Set(targets));
      assert.match(await hub.refused('PLAN_TARGETS_UNMATCHED', 'plan', '--base', directory, '--targets', missing), new RegExp(targets[0]));
      const { status, err } = await hub.braid('models', 'add', directory, '--name', base);
      assert.equal(status, 0, err);
      const { items } = await hub.json<{ items: { name: string; parameterCount: number }[] }>('models');
      assert.equal(items.find(({ name }) => name === base)?.parameterCount, plan.model.parameters);
    });

    it('takes an adapter, which is found by what it changes', async () => {
      const { status, err } = await hub.braid('publish', join(folder, `${family}-adapter`), `acme/${family}`, '--base', base);
      assert.equal(status, 0, err);
      const { items } = await hub.json<{ items: { name: string }[] }>('search', '--target-module', targets[0], '--base', base);
      assert.deepEqual(
        items.map(({ name }) => name),
        [`acme/${family}`],
      );
    });

    it('answers as the float64 decoder does', async () => {
      const ids = createRandomTensors(3)
        .integers(40, COMMON.vocab_size - 16)
        .map((id) => id + 16);
      for (const [name, reference] of [[base, model.reference()] as const, [`acme/${family}`, model.reference(deltas)] as const]) {
        const scored = await complete(name, { prompt: ids, echo: true, max_tokens: 0, logprobs: 0 });
        const logits = referenceLogits(reference, ids);
        for (const [i, found] of scored.logprobs.token_logprobs.slice(1).entries()) {
          const expected = referenceLogSoftmax(logits[i] ?? [])[ids[i + 1] ?? NaN] ?? NaN;
          assert.ok(Math.abs((found ?? NaN) - expected) < TOLERANCE, `${name}, token ${i + 1}: ${found}, expected ${expected}`);
        }
        const answer = await complete(name, { prompt: ids, max_tokens: 8, temperature: 0, ignore_eos: true, logprobs: 0 });
        assert.equal(answer.logprobs.token_logprobs.length, 8);
      }
    });
  });
}

interface Choice {
  readonly text: string;
  readonly logprobs: { readonly token_logprobs: readonly (number | null)[] };
}

async function complete(model: string, fields: object): Promise<Choice> {
  const response = await fetch(`${hub.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, ...fields }),
  });
  const body = (await response.json()) as { choices: Choice[] };
  assert.equal(response.status, 200, JSON.stringify(body));
  const [choice] = body.choices;
  assert.ok(choice !== undefined);
  return choice;
}
