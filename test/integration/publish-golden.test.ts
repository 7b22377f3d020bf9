// PEFT's own adapters through the door: registered, published, and then the model computes with them what PEFT computed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { BaseModelsService } from '#src/base-models/base-models.service.js';
import { parseDigest, parseRepoName } from '#src/ids/ids.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { listGoldenModels } from '#test/fixtures/golden.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';

interface Expected {
  readonly prompt: readonly number[];
  readonly target: readonly number[];
  readonly targetNll: readonly number[];
}

/** As the golden numbers' README asks. */
const NLL_TOLERANCE = 1e-4;

describeOnHomes('golden adapters, published', (home) => {
  let hub: Hub;
  before(async () => (hub = await createHub(home.configuration)));
  after(() => hub.app.close());

  for (const { name: model, directory, adapters: plain, variants } of listGoldenModels()) {
    const adapters = [...plain, ...variants];
    it(`${model}: ${adapters.join(', ')}`, async () => {
      const base = parseRepoName(`golden/${model}`);
      await hub.app.get(BaseModelsService, { strict: false }).add({ directory: join(directory, 'model'), name: base });
      for (const adapter of adapters) {
        const read = (file: string) => readFileSync(join(directory, 'adapters', adapter, file));
        const files = {
          'adapter_config.json': read('adapter_config.json'),
          'adapter_model.safetensors': read('adapter_model.safetensors'),
        };
        const { status, body } = await publishFiles(hub.url, { name: `${model}/${adapter}`, base }, files);
        assert.equal(status, 201, JSON.stringify(body));
        assert.match(String(body.warnings), /tiny\//, 'the adapters name their base tiny/…');
        const engine = await hub.app.get<Engines>(ENGINES, { strict: false }).get(parseDigest(body.baseModel.digest));
        const mixture = [{ digest: parseDigest(body.digest), weight: 1 }];
        for (const { prompt, target, targetNll } of JSON.parse(read('expected.json').toString()) as Expected[]) {
          const [scored] = await engine.score([{ ids: [...prompt, ...target], from: prompt.length, mixture }]);
          const found = [...(scored?.logprobs ?? [])].map((logprob) => -logprob);
          assert.equal(found.length, targetNll.length);
          for (const [i, nll] of targetNll.entries()) {
            assert.ok(Math.abs((found[i] ?? NaN) - nll) < NLL_TOLERANCE, `${adapter}: ${found[i]} is not ${nll}`);
          }
        }
      }
    });
  }
});
