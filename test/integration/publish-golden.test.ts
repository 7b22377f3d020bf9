// PEFT's own adapters through the door: registered, published, and then the model computes with them what PEFT computed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { BaseModelsService } from '#src/base-models/base-models.service.js';
import { type Digest, parseDigest, parseRepoName } from '#src/ids/ids.js';
import { type Engine, ENGINES, type Engines, type Mixture, type ScoreOptions } from '#src/runtime/engine.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { listGoldenModels, listGoldenSeq2Seq } from '#test/fixtures/golden.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';

interface Expected {
  readonly prompt: readonly number[];
  readonly target: readonly number[];
  readonly targetNll: readonly number[];
}

/** As the golden numbers' README asks. */
const NLL_TOLERANCE = 1e-4;

async function assertScores(
  engine: Engine,
  mixture: Mixture,
  expected: readonly Expected[],
  what: string,
  application: ScoreOptions['application'] = 'factored',
): Promise<void> {
  for (const { prompt, target, targetNll } of expected) {
    const [scored] = await engine.score([{ ids: [...prompt, ...target], from: prompt.length, mixture }], { application });
    const found = [...(scored?.logprobs ?? [])].map((logprob) => -logprob);
    assert.equal(found.length, targetNll.length);
    for (const [i, nll] of targetNll.entries()) {
      assert.ok(Math.abs((found[i] ?? NaN) - nll) < NLL_TOLERANCE, `${what}: ${found[i]} is not ${nll}`);
    }
  }
}

describeOnHomes('golden adapters, published', (home) => {
  let hub: Hub;
  before(async () => (hub = await createHub(home.configuration)));
  after(() => hub.app.close());

  for (const { name: model, directory, adapters: plain, variants, compositions, mixedCompositions } of [
    ...listGoldenModels(),
    ...listGoldenSeq2Seq(),
  ]) {
    const adapters = [...plain, ...variants];
    it(`${model}: ${adapters.join(', ')}`, async () => {
      const base = parseRepoName(`golden/${model}`);
      await hub.app.get(BaseModelsService, { strict: false }).add({ directory: join(directory, 'model'), name: base });
      const digests = new Map<string, Digest>();
      let engine: Engine | undefined;
      for (const adapter of adapters) {
        const read = (file: string) => readFileSync(join(directory, 'adapters', adapter, file));
        const files = {
          'adapter_config.json': read('adapter_config.json'),
          'adapter_model.safetensors': read('adapter_model.safetensors'),
        };
        const { status, body } = await publishFiles(hub.url, { name: `${model}/${adapter}`, base }, files);
        assert.equal(status, 201, JSON.stringify(body));
        assert.match(String(body.warnings), /tiny\//, 'the adapters name their base tiny/…');
        const digest = parseDigest(body.digest);
        digests.set(adapter, digest);
        engine = await hub.app.get<Engines>(ENGINES, { strict: false }).get(parseDigest(body.baseModel.digest));
        await assertScores(engine, [{ digest, weight: 1 }], JSON.parse(read('expected.json').toString()) as Expected[], adapter);
      }
      for (const { name, parts, expected } of [...compositions, ...mixedCompositions]) {
        const mixture = parts.map(({ adapter, weight }) => ({ digest: digests.get(adapter) ?? parseDigest(adapter), weight }));
        for (const application of ['factored', 'merged'] as const) {
          assert.ok(engine);
          await assertScores(engine, mixture, expected, `${name}, ${application}`, application);
        }
      }
    });
  }
});
