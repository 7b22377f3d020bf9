// The engines of a hub: one per base model, opened once, closed with the hub, from sources that others provide.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { parseModelConfig } from '#kernels/models/models.js';
import { ConfigurationModule } from '#src/config/configuration.module.js';
import { parseConfiguration } from '#src/config/configuration.js';
import { digestOf, type Digest } from '#src/ids/ids.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import { RuntimeModule } from '#src/runtime/runtime.module.js';
import type { AdapterSource, BaseModelFiles, BaseModelSource } from '#src/runtime/sources.js';
import { HALF_TOLERANCE } from '#test/fixtures/golden-agreement.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';

const directory = mkdtempSync(join(tmpdir(), 'braid-engines-'));
const loads: Digest[] = [];
let isGone = false;

@Injectable()
class TinyModels implements BaseModelSource {
  async load(digest: Digest): Promise<BaseModelFiles> {
    loads.push(digest);
    await Promise.resolve();
    if (isGone) throw new Error('no such directory');
    const { config, tensors } = readModelDirectory(directory);
    return { directory, config: parseModelConfig(config), tensors };
  }
}

@Injectable()
class NoAdapters implements AdapterSource {
  load(): Promise<never> {
    return Promise.reject(new Error('there are none'));
  }
}

@Module({ providers: [TinyModels, NoAdapters], exports: [TinyModels, NoAdapters] })
class SourcesModule {}

@Module({
  imports: [
    ConfigurationModule.with(parseConfiguration({ BRAID_THREADS: '1' })),
    RuntimeModule.with({ imports: [SourcesModule], adapters: NoAdapters, baseModels: TinyModels }),
  ],
})
class HubModule {}

before(() => writeTinyModel(directory));
after(() => rmSync(directory, { recursive: true }));

test('an engine is opened once, is kept, and ends with the hub', async (t) => {
  const app = await NestFactory.createApplicationContext(HubModule, { logger: false });
  t.after(() => app.close());
  const engines = app.get<Engines>(ENGINES);
  const [first, second] = [digestOf('first'), digestOf('second')];

  isGone = true;
  await assert.rejects(engines.get(first), { code: 'MODEL_UNLOADABLE', message: /no such directory/ });
  isGone = false;
  loads.length = 0;
  const [engine, same, other] = await Promise.all([engines.get(first), engines.get(first), engines.get(second)]);
  assert.equal(engine, same);
  assert.equal(await engines.get(first), engine);
  assert.notEqual(engine, other);
  assert.deepEqual(loads, [first, second]);
  const row = { ids: [1, 2, 3], from: 1, mixture: [] };
  assert.deepEqual(await engine.score([row]), await other.score([row]));
  assert.equal(engine.contextLength, 256);

  await app.close();
  await assert.rejects(engines.get(first), { code: 'ENGINE_CLOSED' });
  await assert.rejects(engine.score([row]), { code: 'ENGINE_CLOSED' });
});

@Module({
  imports: [
    ConfigurationModule.with(parseConfiguration({ BRAID_THREADS: '1', BRAID_PRECISION: 'float16' })),
    RuntimeModule.with({ imports: [SourcesModule], adapters: NoAdapters, baseModels: TinyModels }),
  ],
})
class HalfHubModule {}

test('BRAID_PRECISION reaches the engines, and the log says once that halves are slow on the CPU', async (t) => {
  const warnings: string[] = [];
  const quiet = (): void => undefined;
  const app = await NestFactory.createApplicationContext(HalfHubModule, {
    logger: { log: quiet, error: quiet, warn: (message: string) => warnings.push(message) },
  });
  t.after(() => app.close());
  const engine = await app.get<Engines>(ENGINES).get(digestOf('half'));
  await app.get<Engines>(ENGINES).get(digestOf('another'));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^BRAID_PRECISION=float16 is slower than float32 on the CPU/);

  const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const request = { ids: [1, 2, 3], mixture: [], maxTokens: 1, stopTokens: [], sampling, topLogprobs: 0, stream: false };
  for await (const { id, logprob } of engine.generate(request)) {
    const [exact] = await engine.score([{ ids: [1, 2, 3, id], from: 3, mixture: [] }]);
    const difference = Math.abs(logprob - (exact?.logprobs[0] ?? NaN));
    assert.ok(difference > 0 && difference < HALF_TOLERANCE, `an answer in float16 differs from float32 by ${difference}`);
  }
});
