// vLLM's POST /v1/load_lora_adapter: off by default; where allowed, the adapter is in memory afterwards and needs its stored bytes no more.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { openTinyServingHub, TINY_BASE } from '#test/fixtures/tiny-serving-hub.js';

async function post(hub: ServingHub, path: string, body: unknown): Promise<{ readonly status: number; readonly text: string }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${hub.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

function load(hub: ServingHub, name: string, path = name) {
  return post(hub, '/v1/load_lora_adapter', { lora_name: name, lora_path: path });
}

describe('loading an adapter by request', () => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-load-'));
  const data = join(folder, 'data');
  after(() => rmSync(folder, { recursive: true }));

  test('is off unless the hub allows it', async () => {
    const hub = await openTinyServingHub({}, folder);
    try {
      const { status, text } = await load(hub, 'tiny/one');
      assert.equal(status, 403);
      assert.match(text, /BRAID_ALLOW_RUNTIME_LORA_UPDATING=true.*lora_updating_off/);
    } finally {
      await hub.close();
    }
  });

  test('brings a published adapter into memory, and refuses what is none', async () => {
    // Started anew on the same data: what publishing had in memory is gone.
    const hub = await openServingHub({ BRAID_DATA: data, BRAID_ALLOW_RUNTIME_LORA_UPDATING: 'true' });
    try {
      const refused: [string, string, number, RegExp][] = [
        ['tiny/new', '/mnt/adapters/new', 404, /opens no paths.*lora_not_published/],
        ['tiny/new', 'tiny/new', 404, /braid publish FOLDER.*lora_not_published/],
        ['alias', 'tiny/one', 400, /lora_name must be tiny\/one or tiny\/one@1\.0\.0, not alias/],
        ['tiny/both', 'tiny/both', 400, /mixture_not_adapter/],
      ];
      for (const [name, path, status, message] of refused) {
        const answer = await load(hub, name, path);
        assert.equal(answer.status, status, answer.text);
        assert.match(answer.text, message);
      }
      assert.deepEqual(await load(hub, 'tiny/one', 'tiny/one@1.0.0'), { status: 200, text: "Success: LoRA adapter 'tiny/one' is loaded." });
      rmSync(join(data, 'objects'), { recursive: true });
      const complete = (model: string) => post(hub, '/v1/completions', { model, prompt: 'the', max_tokens: 2 });
      assert.equal((await complete(TINY_BASE)).status, 200);
      assert.equal((await complete('tiny/one')).status, 200);
      assert.ok((await complete('tiny/two')).status >= 500);
    } finally {
      await hub.close();
    }
  });
});
