// Exports on a running hub: what comes back in is what went out, in every format, and the model that was merged answers as the composition does.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { askModel, fetchExport, writeFiles } from '#test/fixtures/export-client.js';
import { publishFiles, type PublishAnswer } from '#test/fixtures/publish-client.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { encodeSafetensors, float32Tensor, type TensorToWrite } from '#test/fixtures/safetensors-file.js';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { createTinyAdapter, TINY_CONFIG, type TinyAdapterOptions, writeTinyModel } from '#test/fixtures/tiny-model.js';

const BASE = 'tiny/base';
const PROMPTS = ['the cat sat', 'abcabc', 'a longer text of words, with 123 numbers'];
// Sums in another order, in float32.
const LOGPROB_TOLERANCE = 2e-4;
const ALL = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const ADAPTERS: Readonly<Record<string, TinyAdapterOptions>> = {
  'tiny/plain': { seed: 1 },
  'tiny/odd': { seed: 2, rank: 3, config: { lora_alpha: 7.3 }, targets: ALL },
  'tiny/rslora': { seed: 3, rank: 5, config: { use_rslora: true, lora_alpha: 3 } },
  'tiny/ends': { seed: 4, rank: 2, targets: ['embed_tokens', 'lm_head', 'down_proj'] },
  'tiny/one-layer': { seed: 5, config: { alpha_pattern: { 'layers.0.self_attn.q_proj': 3 } } },
};

/** DoRA: each row of the adapted weight has a length of its own. */
function createDora(): Record<string, Uint8Array> {
  const { config, tensors } = createTinyAdapter({ seed: 6, targets: ['q_proj', 'o_proj', 'down_proj'], config: { use_dora: true } });
  const lengths = Object.entries(tensors).flatMap(([name, { shape }]): [string, TensorToWrite][] => {
    if (!name.endsWith('.lora_B.weight')) return [];
    const count = shape[0] ?? 0;
    return [
      [
        name.replace('lora_B.weight', 'lora_magnitude_vector'),
        float32Tensor(
          [count],
          Array.from({ length: count }, (_, i) => 1 + (i % 5)),
        ),
      ],
    ];
  });
  return { 'adapter_config.json': config, 'adapter_model.safetensors': encodeSafetensors({ ...tensors, ...Object.fromEntries(lengths) }) };
}

/** LoHa: the product of two low-rank products, number by number. */
function createLoha(): Record<string, Uint8Array> {
  const tensors: Record<string, TensorToWrite> = {};
  for (const { name, shape, sides } of HADA) tensors[name] = float32Tensor(shape, sides);
  const config = { peft_type: 'LOHA', r: 2, alpha: 3, target_modules: ['q_proj', 'down_proj'], task_type: 'CAUSAL_LM', init_weights: true };
  return { 'adapter_config.json': Buffer.from(JSON.stringify(config)), 'adapter_model.safetensors': encodeSafetensors(tensors) };
}

const HADA = listLinearModules(parseModelConfig(TINY_CONFIG))
  .filter(({ class: linearClass }) => ['q_proj', 'down_proj'].includes(linearClass))
  .flatMap(({ path, dIn, dOut }, m) =>
    [
      ['hada_w1_a', dOut, 2],
      ['hada_w1_b', 2, dIn],
      ['hada_w2_a', dOut, 2],
      ['hada_w2_b', 2, dIn],
    ].map(([role, rows, columns], t) => {
      const [height, width] = [Number(rows), Number(columns)];
      const sides = createRandomTensors(10 * m + t + 1).vector(height * width, 0.7);
      return { name: `base_model.model.${path}.${role}`, shape: [height, width], sides };
    }),
  );

describe('exports', () => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-exports-'));
  const digests = new Map<string, string>();
  let hub: ServingHub;

  const publish = async (name: string, files: Readonly<Record<string, Uint8Array>>): Promise<PublishAnswer['body']> => {
    const { status, body } = await publishFiles(hub.url, { name, base: BASE }, files);
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  };
  const assertAlike = async (first: string, second: string): Promise<void> => {
    for (const prompt of PROMPTS) {
      const [one, other] = [await askModel(hub.url, first, prompt), await askModel(hub.url, second, prompt)];
      assert.equal(one.text, other.text);
      const difference = largestDifference(one.logprobs, other.logprobs);
      assert.ok(difference < LOGPROB_TOLERANCE, `log-probabilities differ by ${difference}`);
    }
  };

  before(async () => {
    hub = await openServingHub();
    writeTinyModel(join(folder, 'base'));
    await hub.addBaseModel(BASE, join(folder, 'base'));
    for (const [name, options] of Object.entries(ADAPTERS)) {
      const { config, weights } = createTinyAdapter(options);
      const card = Buffer.from(`---\ntags:\n- words\n---\nWhat ${name} does.\n`);
      const { digest } = await publish(name, { 'adapter_config.json': config, 'adapter_model.safetensors': weights, 'README.md': card });
      digests.set(name, digest);
    }
    await publish('tiny/dora', createDora());
    await publish('tiny/loha', createLoha());
    const term = (adapter: string, weight: number) => ({ adapter, version: '1.0.0', weight });
    await hub.compose('tiny/sum', BASE, [term('tiny/plain', 0.8), term('tiny/odd', -0.35), term('tiny/rslora', 0.5)]);
    await hub.compose('tiny/sum-of-ends', BASE, [term('tiny/ends', 0.7), term('tiny/plain', -0.6)]);
    await hub.compose('tiny/negative', BASE, [term('tiny/plain', -0.5), term('tiny/odd', 0)]);
    await hub.compose('tiny/factors', BASE, [term('tiny/plain', 0.8), term('tiny/one-layer', -0.4)], { space: 'factor' });
    await hub.compose('tiny/kinds', BASE, [term('tiny/loha', 0.6), term('tiny/dora', -0.4), term('tiny/odd', 0.3)]);
    await hub.compose('tiny/nothing', BASE, [term('tiny/plain', 0)]);
  });
  after(async () => {
    await hub.close();
    rmSync(folder, { recursive: true });
  });

  for (const name of Object.keys(ADAPTERS)) {
    it(`as PEFT, ${name} comes back with the same digest and its card`, async () => {
      const { view, files } = await fetchExport(hub.url, name, 'peft');
      assert.deepEqual(Object.keys(files), ['adapter_config.json', 'adapter_model.safetensors', 'README.md']);
      assert.deepEqual([view.name, view.version, view.kind, view.cut, view.warnings], [name, '1.0.0', 'adapter', null, []]);
      assert.match(files['README.md']?.toString() ?? '', new RegExp(`What ${name} does`));
      const again = await publish(`again/${name.slice(5)}`, files);
      assert.equal(again.digest, digests.get(name));
    });
  }

  for (const name of ['tiny/sum', 'tiny/sum-of-ends', 'tiny/negative', 'tiny/factors', 'tiny/loha']) {
    it(`as PEFT, ${name} is one LoRA that answers alike`, async () => {
      const { files } = await fetchExport(hub.url, name, 'peft');
      const copy = `again/${name.slice(5)}`;
      const { warnings } = await publish(copy, files);
      assert.deepEqual(warnings, []);
      await assertAlike(name, copy);
    });
  }

  it('what is compared is far from the base and from one another', async () => {
    const [prompt = ''] = PROMPTS;
    const answers = await Promise.all([BASE, 'tiny/sum', 'tiny/sum-of-ends', 'tiny/odd'].map((name) => askModel(hub.url, name, prompt)));
    for (const [i, one] of answers.entries()) {
      for (const other of answers.slice(i + 1)) assert.ok(largestDifference(one.logprobs, other.logprobs) > 100 * LOGPROB_TOLERANCE);
    }
  });

  it('as PEFT, ranks of a composition stand side by side, module by module', async () => {
    const { files } = await fetchExport(hub.url, 'tiny/sum', 'peft');
    const config = JSON.parse(files['adapter_config.json']?.toString() ?? '') as Record<string, unknown>;
    assert.deepEqual(config['rank_pattern'], { q_proj: 12, v_proj: 12 });
    assert.equal(config['r'], 3);
    assert.match(files['README.md']?.toString() ?? '', /tiny\/odd@1\.0\.0 \| -0\.35/);
  });

  it('as GGUF, an adapter whose alpha is a float32 comes back with the same digest', async () => {
    const { files } = await fetchExport(hub.url, 'tiny/plain', 'gguf');
    assert.deepEqual(Object.keys(files), ['adapter.gguf']);
    const { digest } = await publish('gguf/plain', files);
    assert.equal(digest, digests.get('tiny/plain'));
  });

  for (const name of ['tiny/odd', 'tiny/rslora', 'tiny/one-layer', 'tiny/sum', 'tiny/factors', 'tiny/loha']) {
    it(`as GGUF, ${name} answers alike`, async () => {
      await publish(`gguf/${name.slice(5)}`, (await fetchExport(hub.url, name, 'gguf')).files);
      await assertAlike(name, `gguf/${name.slice(5)}`);
    });
  }

  it('as GGUF, adapters of a tied embedding are refused with the way out', async () => {
    const response = await fetch(`${hub.url}/api/exports/tiny/ends/gguf`);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    assert.deepEqual([response.status, error.code], [422, 'GGUF_UNSUPPORTED']);
    assert.match(error.message, /embed_tokens.*--format merged/);
  });

  for (const name of ['tiny/odd', 'tiny/sum', 'tiny/sum-of-ends', 'tiny/factors', 'tiny/dora', 'tiny/kinds']) {
    it(`merged, ${name} is a model that answers alike`, async () => {
      const { files } = await fetchExport(hub.url, name, 'merged');
      const copy = `merged/${name.slice(5)}`;
      await hub.addBaseModel(copy, writeFiles(join(folder, copy), files));
      await assertAlike(name, copy);
    });
  }

  it('cuts to a rank and says what that loses', async () => {
    const { view, files } = await fetchExport(hub.url, 'tiny/sum', 'peft', '?rank=6');
    assert.ok(view.cut !== null && view.cut.error > 0 && view.cut.error < 1);
    assert.equal(view.cut.modules.length, 14);
    for (const { rankBefore, rank, error } of view.cut.modules) {
      assert.equal(rank, Math.min(rankBefore, 6));
      assert.equal(error > 0, rankBefore > 6);
    }
    await publish('cut/six', files);
    const whole = await fetchExport(hub.url, 'tiny/sum', 'peft', '?rank=12');
    assert.equal(whole.view.cut?.error, 0);
  });

  it('a composition of the prompted model keeps its prompt beside it, and says what a GGUF file cannot hold', async () => {
    const examples = [{ prompt: 'a =>', completion: ' A' }];
    const terms = [{ adapter: 'tiny/plain', version: '1.0.0', weight: 0.5 }];
    await hub.compose('tiny/prompted', BASE, terms, { prompt: { examples, tokens: 4 } });
    for (const format of ['peft', 'merged']) {
      const { view, files } = await fetchExport(hub.url, 'tiny/prompted', format);
      assert.equal(files['prompt.jsonl']?.toString(), `${JSON.stringify(examples[0])}\n`);
      assert.match(files['README.md']?.toString() ?? '', /begin with the examples in prompt\.jsonl \(1\)/);
      assert.match(view.warnings.join(), /are in prompt\.jsonl/);
    }
    const { view } = await fetchExport(hub.url, 'tiny/prompted', 'gguf');
    assert.match(view.warnings.join(), /a GGUF file does not hold/);
  });

  it('a rank that holds everything answers alike', async () => {
    await publish('cut/whole', (await fetchExport(hub.url, 'tiny/negative', 'peft', '?rank=4')).files);
    await assertAlike('tiny/negative', 'cut/whole');
  });

  it('DoRA goes out as it came in, and comes back as the same adapter', async () => {
    const { files } = await fetchExport(hub.url, 'tiny/dora', 'peft');
    const { body } = await publishFiles(hub.url, { name: 'again/dora', base: BASE }, files);
    const original = (await (await fetch(`${hub.url}/api/adapters/tiny/dora`)).json()) as { digest: string };
    assert.equal(body.digest, original.digest, JSON.stringify(body));
  });

  it('what is for a model with an encoder: as PEFT and merged, else refused by name', async () => {
    const golden = fileURLToPath(new URL('../../../test/golden/t5/', import.meta.url));
    const [adapter = ''] = readdirSync(join(golden, 'adapters')).filter((name) => name.includes('lora'));
    await hub.addBaseModel('tiny/t5', join(golden, 'model'));
    const read = (file: string) => readFileSync(join(golden, 'adapters', adapter, file));
    const own = { 'adapter_config.json': read('adapter_config.json'), 'adapter_model.safetensors': read('adapter_model.safetensors') };
    const { status: published, body: first } = await publishFiles(hub.url, { name: 'tiny/translated', base: 'tiny/t5' }, own);
    const { files: exported } = await fetchExport(hub.url, 'tiny/translated', 'peft');
    const { body: second } = await publishFiles(hub.url, { name: 'tiny/translated-again', base: 'tiny/t5' }, exported);
    assert.deepEqual([published, second.digest], [201, first.digest]);

    const answerOf = async (model: string): Promise<string> => {
      const response = await fetch(`${hub.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model, prompt: [9, 80, 131], max_tokens: 12, temperature: 0, ignore_eos: true }),
      });
      return ((await response.json()) as { choices: [{ text: string }] }).choices[0].text;
    };
    const merged = writeFiles(join(folder, 'merged-t5'), (await fetchExport(hub.url, 'tiny/translated', 'merged')).files);
    await hub.addBaseModel('tiny/merged-t5', merged);
    const answers = await Promise.all(['tiny/translated', 'tiny/merged-t5', 'tiny/t5'].map(answerOf));
    assert.deepEqual(answers[0], answers[1]);
    assert.notDeepEqual(answers[0], answers[2], 'the adapter matters');

    for (const format of ['gguf', 'onnx']) {
      const response = await fetch(`${hub.url}/api/exports/tiny/translated/${format}`);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.deepEqual([response.status, error.code], [422, 'EXPORT_MODEL_UNSUPPORTED'], format);
      assert.match(error.message, /Export it as peft, merged/);
    }
    const { files } = await fetchExport(hub.url, 'tiny/plain', 'gguf');
    const { status, body } = await publishFiles(hub.url, { name: 'gguf/t5', base: 'tiny/t5' }, files);
    assert.deepEqual([status, body.error.code], [422, 'GGUF_NOT_LORA']);
  });

  const refusals: readonly (readonly [path: string, status: number, code: string])[] = [
    ['tiny/base/peft', 400, 'EXPORT_OF_BASE'],
    ['tiny/unknown/peft', 404, 'UNKNOWN_MODEL'],
    ['tiny/plain/onnx2', 400, 'INVALID_REQUEST'],
    ['tiny/plain/merged?rank=2', 400, 'EXPORT_RANK_UNUSED'],
    ['tiny/plain/peft?rank=0', 400, 'INVALID_REQUEST'],
    ['tiny/plain/peft?version=9.0.0', 404, 'UNKNOWN_VERSION'],
    ['tiny/plain/peft/secrets.txt', 404, 'EXPORT_FILE_UNKNOWN'],
    ['tiny/plain/merged/..%2Fconfig.json', 404, 'EXPORT_FILE_UNKNOWN'],
    ['tiny/nothing/peft', 422, 'EXPORT_EMPTY'],
    ['tiny/dora/peft?rank=2', 422, 'EXPORT_NEEDS_MERGED'],
    ['tiny/dora/gguf', 422, 'EXPORT_NEEDS_MERGED'],
    ['tiny/kinds/peft', 422, 'EXPORT_NEEDS_MERGED'],
    ['tiny/kinds/gguf', 422, 'EXPORT_NEEDS_MERGED'],
  ];
  for (const [path, status, code] of refusals) {
    it(`refuses ${path}: ${code}`, async () => {
      const response = await fetch(`${hub.url}/api/exports/${path}`);
      const { error } = (await response.json()) as { error: { code: string } };
      assert.deepEqual([response.status, error.code], [status, code]);
    });
  }
});
