// LoRAX's own Python client, unchanged, against a hub that listens.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

const SCRIPT = fileURLToPath(new URL('../../../test/fixtures/lorax_client.py', import.meta.url));
const python = process.env['BRAID_TEST_LORAX_PYTHON'];

interface Told {
  readonly base: { readonly generated_text: string; readonly details: { readonly tokens: unknown[]; readonly prefill: unknown[] } };
  readonly adapter: string;
  readonly merged: string;
  readonly streamed: { readonly joined: string; readonly generated_text: string; readonly details: Readonly<Record<string, unknown>> };
  readonly unknown: string | null;
  readonly ties: string | null;
}

describe(
  'LoRAX’s client',
  { skip: python === undefined ? 'set BRAID_TEST_LORAX_PYTHON to what .ci/lorax-client.sh prints' : false },
  () => {
    let hub: TinyServingHub;
    let told: Told;

    before(async () => {
      hub = await openTinyServingHub();
      const { stdout } = await promisify(execFile)(python ?? '', [SCRIPT, hub.url], { timeout: 60_000 });
      told = JSON.parse(stdout) as Told;
    });
    after(() => hub.close());

    async function complete(fields: Record<string, unknown>): Promise<string> {
      const request = { model: TINY_BASE, prompt: 'the the', max_tokens: 8, temperature: 0, ignore_eos: true, ...fields };
      const { body } = await hub.post('/v1/completions', request);
      return (body['choices'] as { text: string }[])[0]?.text ?? assert.fail(JSON.stringify(body));
    }

    test('answers with base, adapter and merged adapters', async () => {
      assert.equal(told.base.generated_text, await complete({}));
      assert.deepEqual([told.base.details.tokens.length, told.base.details.prefill.length], [8, 3]);
      assert.equal(told.adapter, await complete({ model: 'tiny/one' }));
      assert.equal(told.merged, await complete({ merged_adapters: { ids: ['tiny/one', 'tiny/two'], weights: [0.9, 0.8] } }));
    });

    test('reads a stream to its end', () => {
      const { joined, generated_text: text, details } = told.streamed;
      assert.deepEqual([joined, text], [told.adapter, told.adapter]);
      assert.deepEqual(details, { finish_reason: 'length', prompt_tokens: 3, generated_tokens: 8, seed: null });
    });

    test('raises its own errors', () => {
      assert.match(told.unknown ?? '', /tiny\/nothing/);
      assert.match(told.ties ?? '', /ties/);
    });
  },
);
