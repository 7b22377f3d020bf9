// An exported GGUF LoRA under llama.cpp itself: it must give the tokens that Braid gives. Runs where BRAID_TEST_LLAMA_CPP names the folder
// of an installed node-llama-cpp (too heavy to be one of our packages: `npm install --omit=optional node-llama-cpp @node-llama-cpp/linux-x64`).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { concatenateFactors } from '#kernels/lora/concatenate-factors.js';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { listLinearModules } from '#kernels/models/models.js';
import { encodeGgufLora } from '#src/gguf/encode-lora.js';
import type { Mixture } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { writeFiles } from '#test/fixtures/export-client.js';
import { encodeGgufModel } from '#test/fixtures/gguf-model.js';
import { createTinyAdapter, TINY_CONFIG, type TinyAdapterOptions, writeTinyModel } from '#test/fixtures/tiny-model.js';

/** What is used of node-llama-cpp. */
interface LlamaCpp {
  readonly getLlama: (options: object) => Promise<Llama>;
}
interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
interface LlamaModel {
  createContext(options: object): Promise<{
    getSequence(): { evaluate(tokens: readonly number[], options: object): AsyncIterable<number> };
    dispose(): Promise<void>;
  }>;
}

const folderOfLlamaCpp = process.env['BRAID_TEST_LLAMA_CPP'];
const PROMPTS = [
  [5, 90, 17, 33],
  [100, 101, 102, 103, 104, 105, 106, 107],
  [200, 3, 77],
];
const TOKENS = 24;
const config = parseDecoderConfig(TINY_CONFIG);
const modules = listLinearModules(config);

const ADAPTERS: readonly TinyAdapterOptions[] = [
  { seed: 1 },
  { seed: 2, rank: 3, config: { lora_alpha: 7.3 }, targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] },
  { seed: 3, rank: 5, config: { use_rslora: true, lora_alpha: 3 }, targets: ['k_proj', 'down_proj'] },
];
const MIXTURES: readonly (readonly number[])[] = [
  [0, 0, 0],
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [0.8, -0.35, 0.5],
  [-0.7, 0, 0],
];

describe('GGUF under llama.cpp', { skip: folderOfLlamaCpp === undefined && 'BRAID_TEST_LLAMA_CPP names no node-llama-cpp' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-llamacpp-'));
  const adapters = new DirectoryAdapters(join(folder, 'base'));
  let engine: ModelEngine;
  let llama: Llama;
  let model: LlamaModel;
  let digests: readonly ReturnType<DirectoryAdapters['add']>[];

  before(async () => {
    writeTinyModel(join(folder, 'base'));
    writeFileSync(join(folder, 'base.gguf'), encodeGgufModel(join(folder, 'base'), config));
    digests = ADAPTERS.map((options, i) => {
      const made = createTinyAdapter(options);
      return adapters.add(
        writeFiles(join(folder, `${i}`), { 'adapter_config.json': made.config, 'adapter_model.safetensors': made.weights }),
      );
    });
    engine = await openTestEngine(join(folder, 'base'), adapters);
    const { getLlama } = (await import(pathToFileURL(join(folderOfLlamaCpp ?? '', 'dist', 'index.js')).href)) as LlamaCpp;
    llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 1, logLevel: 'error' });
    model = await llama.loadModel({ modelPath: join(folder, 'base.gguf') });
  });
  after(async () => {
    await llama.dispose();
    await engine.close();
    rmSync(folder, { recursive: true });
  });

  for (const weights of MIXTURES) {
    it(`weights ${weights.join(', ')}`, async () => {
      const mixture: Mixture = weights.flatMap((weight, i) => {
        const digest = digests[i];
        return weight === 0 || digest === undefined ? [] : [{ digest, weight }];
      });
      const parts = await Promise.all(mixture.map(async ({ digest, weight }) => ({ adapter: await adapters.load(digest), weight })));
      const adapter = concatenateFactors(parts, modules);
      const file = join(folder, `${weights.join('_')}.gguf`);
      if (parts.length > 0) writeFileSync(file, Buffer.concat(encodeGgufLora(adapter, modules, config, 'tiny/mixture')));
      for (const ids of PROMPTS) assert.deepEqual(await askLlama(parts.length > 0 ? file : undefined, ids), await askBraid(mixture, ids));
    });
  }

  async function askBraid(mixture: Mixture, ids: readonly number[]): Promise<number[]> {
    const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
    const request = { ids, mixture, maxTokens: TOKENS, stopTokens: [config.vocabularySize - 1], sampling, topLogprobs: 0, stream: false };
    const tokens: number[] = [];
    for await (const { id } of engine.generate(request)) tokens.push(id);
    return tokens;
  }

  async function askLlama(lora: string | undefined, ids: readonly number[]): Promise<number[]> {
    const adaptersOf = lora === undefined ? {} : { lora: { adapters: [{ filePath: lora }] } };
    const context = await model.createContext({ contextSize: 128, flashAttention: false, ...adaptersOf });
    const tokens: number[] = [];
    try {
      for await (const token of context.getSequence().evaluate(ids, { temperature: 0, yieldEogToken: true })) {
        tokens.push(token);
        if (tokens.length === TOKENS || token === config.vocabularySize - 1) break;
      }
    } finally {
      await context.dispose();
    }
    return tokens;
  }
});
