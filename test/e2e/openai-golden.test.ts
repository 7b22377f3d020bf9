// What PEFT computes for golden models, through the whole hub and OpenAI's client: scores and greedy tokens of base, adapters, compositions.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';

interface Expected {
  readonly prompt: number[];
  readonly target: number[];
  readonly targetNll: number[];
  readonly greedy: number[];
  readonly lastPromptLogits: number[];
}

interface Composition {
  readonly space: 'delta' | 'factor';
  readonly parts: readonly { adapter: string; weight: number }[];
  readonly expected: readonly Expected[];
}

interface Bed {
  readonly adapters: readonly string[];
  readonly compositions: readonly string[];
}

/** By golden model. */
const BEDS: Readonly<Record<string, Bed>> = {
  llama: {
    adapters: ['lora-r3-all-odd', 'lora-r4-qv', 'lora-r4-qv-b', 'lora-r8-all', 'lora-layers', 'lora-patterns', 'rslora-r8'],
    compositions: ['two-ranks', 'single-half', 'factor'],
  },
  'llama3-rope': { adapters: ['lora-r4-all'], compositions: [] },
  gemma2: { adapters: ['lora-r4-all'], compositions: [] },
  gemma3: { adapters: ['lora-r4-all'], compositions: [] },
  phi3: { adapters: ['lora-r4-all'], compositions: [] },
};
const NLL_TOLERANCE = 1e-4;
/** Greedy tokens are compared where the two likeliest differ by more than logits agree. */
const LOGIT_TOLERANCE = 1e-3;

for (const [name, bed] of Object.entries(BEDS)) {
  const golden = findSharedPath('golden', name);
  describe(`golden ${name} through the openai client`, { skip: golden === undefined ? sharedFolderMissing : false }, () => {
    checkBed(`golden/${name}`, bed, golden ?? '');
  });
}

function checkBed(base: string, { adapters, compositions }: Bed, golden: string): void {
  let hub: ServingHub;
  let client: OpenAI;
  const read = (...parts: string[]): unknown => JSON.parse(readFileSync(join(golden, ...parts), 'utf8'));

  before(async () => {
    hub = await openServingHub();
    client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none', maxRetries: 0 });
    await hub.addBaseModel(base, join(golden, 'model'));
    for (const adapter of adapters) await hub.publish(`golden/${adapter}`, base, join(golden, 'adapters', adapter), '1.0.0');
    for (const name of compositions) {
      const { space, parts } = read('compositions', `${name}.json`) as Composition;
      await hub.compose(
        `golden/${name}`,
        base,
        parts.map(({ adapter, weight }) => ({ adapter: `golden/${adapter}`, version: '1.0.0', weight })),
        { space },
      );
    }
  });
  after(() => hub.close());

  async function agrees(expected: readonly Expected[], model: string, more: object = {}): Promise<void> {
    await Promise.all(
      expected.map(async ({ prompt, target, targetNll, greedy, lastPromptLogits }) => {
        const scored = await client.completions.create({
          model,
          prompt: [...prompt, ...target],
          echo: true,
          max_tokens: 0,
          logprobs: 0,
          ...more,
        });
        const found = scored.choices[0]?.logprobs?.token_logprobs?.slice(prompt.length) ?? [];
        assert.equal(found.length, targetNll.length);
        for (const [i, nll] of targetNll.entries())
          assert.ok(Math.abs(-(found[i] ?? 0) - nll) < NLL_TOLERANCE, `${model}: ${-(found[i] ?? 0)}, expected ${nll}`);
        const fields = { model, prompt, max_tokens: greedy.length, temperature: 0, ignore_eos: true, skip_special_tokens: false, ...more };
        const answer = await client.completions.create(fields as OpenAI.CompletionCreateParamsNonStreaming);
        const [first = 0, second = 0] = lastPromptLogits.toSorted((a, b) => b - a);
        if (first - second <= LOGIT_TOLERANCE) return;
        assert.equal(answer.choices[0]?.text.trim(), greedy.map((id) => `<${id}>`).join(' '), model);
      }),
    );
  }

  test('the base', () => agrees(read('expected-base.json') as Expected[], base));

  for (const adapter of adapters) {
    test(`adapter ${adapter}, by name and as a mixture of one`, async () => {
      const expected = read('adapters', adapter, 'expected.json') as Expected[];
      await Promise.all([
        agrees(expected, `golden/${adapter}`),
        agrees(expected, base, { mixture: [{ adapter: `golden/${adapter}@1.0.0`, weight: 1 }] }),
      ]);
    });
  }

  for (const name of compositions) {
    test(`composition ${name}, by name and as a mixture`, async () => {
      const { space, parts, expected } = read('compositions', `${name}.json`) as Composition;
      const list = parts.map(({ adapter, weight }) => ({ adapter: `golden/${adapter}`, weight }));
      const mixture = space === 'delta' ? list : { space, parts: list };
      await Promise.all([agrees(expected, `golden/${name}`), agrees(expected, base, { mixture })]);
    });
  }

  if (compositions.length === 0) return;
  test('a mixture in factor space of adapters that differ in shape is refused by their names', async () => {
    const parts = ['lora-r4-qv', 'lora-r8-all'].map((adapter) => ({ adapter: `golden/${adapter}`, weight: 0.5 }));
    const body = { model: base, prompt: 'x', mixture: { space: 'factor', parts } };
    const response = await fetch(`${hub.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 422);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, 'factors_differ');
    assert.match(error.message, /^golden\/lora-r4-qv@1\.0\.0 and golden\/lora-r8-all@1\.0\.0 cannot .* they have ranks 4 and 8\./);
  });
}
