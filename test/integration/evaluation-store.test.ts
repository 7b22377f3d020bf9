// Known evaluations in a real database: exact numbers in and out, the first writer wins, and old rows go.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import { EvaluationStore, type KnownLoss } from '#src/compose/evaluations/evaluation-store.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { digestOf, parseRepoName, type RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const keyOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describeOnHomes('evaluation store', (home) => {
  let dataSource: DataSource;
  let store: EvaluationStore;
  let base: RowId;

  before(async () => {
    dataSource = await openDataSource(home.configuration, [BaseModel]);
    store = new EvaluationStore(dataSource);
    const model = await new RegistryService(dataSource).addBaseModel({
      name: parseRepoName('org/base'),
      digest: digestOf('base'),
      directory: '/models/none',
      architecture: 'LlamaForCausalLM',
      config: {},
      parameterCount: 1,
      weightBytes: 4,
      contextLength: 64,
      vocabularySize: 8,
    });
    base = model.id;
  });
  after(() => dataSource.destroy());

  it('gives back the very numbers, not finite ones too', async () => {
    const losses = new Map<string, KnownLoss>(
      [0, 0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, -1e-17, Infinity, NaN].map((nll, i) => [
        keyOf(`n${i}`),
        { nll, isExact: i % 2 === 0 },
      ]),
    );
    assert.ok(await store.add(base, losses));
    assert.deepEqual(await store.find([...losses.keys(), keyOf('unknown')]), losses);
    assert.deepEqual(await store.find([]), new Map());
  });

  it('the first writer wins, and the second is told', async () => {
    const [mine, shared] = [keyOf('mine'), keyOf('shared')];
    assert.ok(await store.add(base, new Map([[shared, { nll: 1, isExact: true }]])));
    const late = new Map([
      [mine, { nll: 3, isExact: false }],
      [shared, { nll: 2, isExact: false }],
    ]);
    assert.equal(await store.add(base, late), false);
    assert.deepEqual(await store.find([mine, shared]), new Map([...late, [shared, { nll: 1, isExact: true }]]));
  });

  it('more than a statement takes', async () => {
    const losses = new Map(Array.from({ length: 5_000 }, (_, i) => [keyOf(`many ${i}`), { nll: i / 7, isExact: false }]));
    assert.ok(await store.add(base, losses));
    assert.deepEqual(await store.find([...losses.keys()]), losses);
  });

  it('old evaluations go, others stay', async () => {
    const [old, recent] = [keyOf('old'), keyOf('recent')];
    await store.add(base, new Map([old, recent].map((key) => [key, { nll: 1, isExact: false }])));
    await dataSource.query(`UPDATE compose_evaluations SET created_at = now() - interval '31 days' WHERE key = decode($1, 'hex')`, [old]);
    assert.equal(await store.removeOld(30), 1);
    assert.deepEqual([...(await store.find([old, recent])).keys()], [recent]);
  });
});
