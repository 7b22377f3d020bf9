// The real model through the whole hub: log-likelihoods and greedy texts of base, adapters of every kind and compositions agree with PyTorch and PEFT.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ExpectedCase, openRealBed } from './bed.js';
import { type RealHub, startRealHub } from './real-hub.js';

/** fp32 agreement per token that the bed's README names. */
const TOLERANCE = 2e-3;

describe('SmolLM2-135M-Instruct agrees with PyTorch and PEFT', () => {
  const bed = openRealBed();
  const { cases, base, adapters, compositions } = bed.expected;
  const names = bed.adapterNames.filter((name) => name in adapters);
  let hub: RealHub;

  before(async () => {
    hub = await startRealHub(bed, names);
  });
  after(async () => {
    await hub.close();
  });

  async function assertAgrees(expected: readonly ExpectedCase[], request: Record<string, unknown>): Promise<number> {
    let worst = 0;
    for (const [i, { promptIds, targetIds }] of cases.entries()) {
      const want = expected[i];
      assert.ok(want !== undefined);
      const scored = await hub.complete({ ...request, prompt: [...promptIds, ...targetIds], echo: true, logprobs: 1, max_tokens: 0 });
      const logprobs = scored.choices[0]?.logprobs?.token_logprobs.slice(promptIds.length) ?? [];
      assert.equal(logprobs.length, want.targetNll.length);
      for (const [j, nll] of want.targetNll.entries()) {
        const difference = Math.abs(-(logprobs[j] ?? NaN) - nll);
        assert.ok(difference <= TOLERANCE, `case ${i}, token ${j}: ${-(logprobs[j] ?? NaN)} instead of ${nll}`);
        worst = Math.max(worst, difference);
      }
      const greedy = await hub.complete({ ...request, prompt: promptIds, max_tokens: 16, temperature: 0 });
      assert.equal(greedy.choices[0]?.text, want.greedyText, `greedy text of case ${i}`);
    }
    return worst;
  }

  it('base', async (t) => {
    t.diagnostic(`largest difference ${(await assertAgrees(base, { model: hub.baseName })).toExponential(1)}`);
  });

  for (const name of names) {
    it(`adapter ${name}`, async (t) => {
      const expected = adapters[name];
      assert.ok(expected !== undefined);
      t.diagnostic(`largest difference ${(await assertAgrees(expected, { model: hub.adapterName(name) })).toExponential(1)}`);
    });
  }

  for (const { name, parts, expected } of compositions) {
    it(`composition ${name}`, async (t) => {
      const mixture = parts.map(({ adapter, weight }) => ({ adapter: hub.adapterName(adapter), weight }));
      t.diagnostic(`largest difference ${(await assertAgrees(expected, { model: hub.baseName, mixture })).toExponential(1)}`);
    });
  }
});
