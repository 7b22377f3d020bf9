// Adapters under a small memory: pinned ones outlast the others, what is in flight is never evicted, and a new version answers at once while
// a stream stays with the old one.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import type { Environment } from '#src/config/configuration.js';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { createTinyAdapter, type TinyAdapterOptions, writeTinyModel } from '#test/fixtures/tiny-model.js';

const BASE = 'tiny/base';
// Of the smallest memory that can be set, 1 MiB, one of these takes more than half.
const LARGE = { rank: 128, targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] };
// Longer than everything else here takes.
const LONG = 3000;

describe('adapters under a memory that holds one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-memory-'));
  const data = join(folder, 'data');
  after(() => rmSync(folder, { recursive: true }));

  async function withHub(environment: Environment, run: (hub: ServingHub) => Promise<void>): Promise<void> {
    const hub = await openServingHub({ BRAID_DATA: data, BRAID_ADAPTER_MEMORY_MB: '1', ...environment });
    try {
      await run(hub);
    } finally {
      await hub.close();
    }
  }

  async function publish(hub: ServingHub, name: string, options: TinyAdapterOptions, version = '1.0.0'): Promise<void> {
    const directory = join(folder, `${name}-${version}`);
    const { config, weights } = createTinyAdapter(options);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'adapter_config.json'), config);
    writeFileSync(join(directory, 'adapter_model.safetensors'), weights);
    await hub.publish(name, BASE, directory, version);
  }

  const clientOf = (hub: ServingHub): OpenAI => new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none', maxRetries: 0 });

  function fieldsOf(model: string, tokens: number) {
    return { model, prompt: 'the quick brown', max_tokens: tokens, temperature: 0, ignore_eos: true };
  }

  async function complete(hub: ServingHub, model: string, tokens = 24): Promise<string> {
    return (await clientOf(hub).completions.create(fieldsOf(model, tokens))).choices[0]?.text ?? '';
  }

  /** A long answer that is being written; resolved with its first piece. */
  async function startStream(hub: ServingHub, model: string): Promise<{ whole: Promise<string>; isDone: () => boolean }> {
    const stream = await clientOf(hub).completions.create({ ...fieldsOf(model, LONG), stream: true });
    let isDone = false;
    const pieces = stream[Symbol.asyncIterator]();
    const first = await pieces.next();
    const read = async (): Promise<string> => {
      let text = '';
      for (let piece = first; piece.done !== true; piece = await pieces.next()) text += piece.value.choices[0]?.text ?? '';
      isDone = true;
      return text;
    };
    return { whole: read(), isDone: () => isDone };
  }

  before(async () => {
    const model = join(folder, 'model');
    writeTinyModel(model, { config: { max_position_embeddings: 4096 } });
    await withHub({}, async (hub) => {
      await hub.addBaseModel(BASE, model);
      await publish(hub, 'tiny/small', { seed: 1 });
      await publish(hub, 'tiny/large', { seed: 2, ...LARGE });
      await publish(hub, 'tiny/other', { seed: 3, ...LARGE });
    });
  });

  test('a stream keeps its adapter; who needs its memory waits, and both get the right answer', async () => {
    await withHub({}, async (hub) => {
      const alone = await complete(hub, 'tiny/large', LONG);
      const otherAlone = await complete(hub, 'tiny/other');
      assert.notEqual(otherAlone, alone.slice(0, otherAlone.length));
      const stream = await startStream(hub, 'tiny/large');
      const order: string[] = [];
      const other = complete(hub, 'tiny/other').then((text) => {
        order.push('other');
        return text;
      });
      const whole = stream.whole.then((text) => {
        order.push('stream');
        return text;
      });
      assert.equal(await whole, alone);
      assert.equal(await other, otherAlone);
      assert.deepEqual(order, ['stream', 'other']);
    });
  });

  test('a new version of a name answers the next request, while a stream goes on with the old one', async () => {
    await withHub({ BRAID_ADAPTER_MEMORY_MB: '64' }, async (hub) => {
      await publish(hub, 'tiny/alias', { seed: 4, size: 1 });
      const before = await complete(hub, 'tiny/alias', LONG);
      const stream = await startStream(hub, 'tiny/alias');
      await publish(hub, 'tiny/alias', { seed: 5, size: 1 }, '1.1.0');
      const renewed = await complete(hub, 'tiny/alias');
      assert.equal(stream.isDone(), false, 'the stream outlasted the new version’s first answer');
      assert.notEqual(renewed, before.slice(0, renewed.length));
      assert.equal(renewed, await complete(hub, 'tiny/alias@1.1.0'));
      assert.equal(await stream.whole, before);
      assert.ok(before.startsWith(await complete(hub, 'tiny/alias@1.0.0')));
    });
  });

  test('pinned adapters that the memory cannot hold are refused by name of the settings', async () => {
    await withHub({ BRAID_PINNED_ADAPTERS: 'tiny/large,tiny/other' }, async (hub) => {
      await assert.rejects(complete(hub, 'tiny/small'), (error: unknown) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(error.status, 500);
        assert.match(error.message, /BRAID_PINNED_ADAPTERS names .* at least \d+ bytes .*raise BRAID_ADAPTER_MEMORY_MB/);
        return true;
      });
    });
  });

  test('a pinned adapter is loaded with its base, stays while others come and go, and needs its stored bytes no more', async () => {
    await withHub({ BRAID_PINNED_ADAPTERS: 'tiny/small@1.0.0' }, async (hub) => {
      for (const model of [BASE, 'tiny/large', 'tiny/other']) await complete(hub, model);
      rmSync(join(data, 'objects'), { recursive: true });
      assert.notEqual(await complete(hub, 'tiny/small'), await complete(hub, BASE));
      await assert.rejects(complete(hub, 'tiny/large'), (error) => error instanceof OpenAI.APIError && error.status >= 500);
    });
  });
});
