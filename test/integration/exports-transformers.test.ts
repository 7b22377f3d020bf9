// Exports under the libraries they are made for: PEFT loads the adapters, transformers the merged models, ONNX Runtime the graphs, and all say what Braid says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ANSWER_TOKENS, askModel, fetchExport, writeFiles } from '#test/fixtures/export-client.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { findReferencePython } from '#test/fixtures/reference-python.js';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { createTinyAdapter, type TinyAdapterOptions, writeTinyModel } from '#test/fixtures/tiny-model.js';

const SCRIPT = fileURLToPath(new URL('../../../test/reference/exported_models.py', import.meta.url));
const BASE = 'tiny/base';
const PROMPT = 'the cat sat on';
const TOLERANCE = 5e-4;
const FORMATS = ['peft', 'merged', 'onnx'];
const python = findReferencePython();

const ADAPTERS: Readonly<Record<string, TinyAdapterOptions>> = {
  'tiny/plain': { seed: 1 },
  'tiny/wide': { seed: 2, rank: 3, config: { lora_alpha: 7.3 }, targets: ['q_proj', 'k_proj', 'o_proj', 'up_proj', 'down_proj'] },
  'tiny/rslora': { seed: 3, rank: 5, config: { use_rslora: true, lora_alpha: 3 } },
  'tiny/ends': { seed: 4, rank: 2, targets: ['embed_tokens', 'lm_head', 'down_proj'] },
};
const EXPORTED = [...Object.keys(ADAPTERS), 'tiny/sum', 'tiny/sum-of-ends', 'tiny/negative'];

describe(
  'exports under PEFT, transformers and ONNX Runtime',
  { skip: python === undefined && 'no Python with bench/peers/requirements.txt' },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'braid-transformers-'));
    const theirs = new Map<string, number[]>();
    let hub: ServingHub;

    before(async () => {
      hub = await openServingHub();
      writeTinyModel(join(folder, 'base'));
      await hub.addBaseModel(BASE, join(folder, 'base'));
      for (const [name, options] of Object.entries(ADAPTERS)) {
        const { config, weights } = createTinyAdapter(options);
        const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
        assert.equal((await publishFiles(hub.url, { name, base: BASE }, files)).status, 201);
      }
      const term = (adapter: string, weight: number) => ({ adapter, version: '1.0.0', weight });
      await hub.compose('tiny/sum', BASE, [term('tiny/plain', 0.8), term('tiny/wide', -0.35), term('tiny/rslora', 0.5)]);
      await hub.compose('tiny/sum-of-ends', BASE, [term('tiny/ends', 0.7), term('tiny/plain', -0.6)]);
      await hub.compose('tiny/negative', BASE, [term('tiny/plain', -0.5)]);

      const requests: Record<string, string>[] = [];
      for (const name of EXPORTED) {
        for (const format of FORMATS) {
          const directory = writeFiles(join(folder, name, format), (await fetchExport(hub.url, name, format)).files);
          requests.push({ key: `${name} ${format}`, [format]: directory, prompt: PROMPT });
        }
      }
      const input = requests.map((request) => `${JSON.stringify(request)}\n`).join('');
      const { status, stdout, stderr } = spawnSync(python ?? '', [SCRIPT, join(folder, 'base'), String(ANSWER_TOKENS)], {
        input,
        encoding: 'utf8',
        env: { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1' },
      });
      assert.equal(status, 0, stderr);
      const answers = stdout.trim().split('\n');
      for (const [i, { key }] of requests.entries()) theirs.set(key ?? '', JSON.parse(answers[i] ?? '[]') as number[]);
    });
    after(async () => {
      await hub.close();
      rmSync(folder, { recursive: true });
    });

    for (const name of EXPORTED) {
      for (const format of FORMATS) {
        it(`${name} as ${format}`, async () => {
          const { logprobs } = await askModel(hub.url, name, PROMPT);
          assert.ok(logprobs.length > ANSWER_TOKENS);
          const difference = largestDifference(logprobs, theirs.get(`${name} ${format}`) ?? []);
          assert.ok(difference < TOLERANCE, `log-probabilities differ by ${difference}`);
        });
      }
    }
  },
);
