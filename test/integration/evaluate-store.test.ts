// Rows of evaluations on both homes: one owner at a time, late words are not heard, abandoned ones are taken over or given up.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, afterEach, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import { openDataSource } from '#src/database/open-data-source.js';
import { EvaluationStore, type NewEvaluation } from '#src/evaluate/evaluation.store.js';
import type { ExampleOutcome } from '#src/evaluate/measure-examples.js';
import { ModelEvaluation } from '#src/evaluate/model-evaluation.entity.js';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, digestOf, type RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { parseExamples } from '#src/tokenizer/examples.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { newBaseModel } from '#test/fixtures/registry-rows.js';

const examples = parseExamples([
  { prompt: 'a\0', completion: ' b' },
  { prompt: 'c', completion: ' d' },
]);
const outcome: ExampleOutcome = { tokens: 2, nll: 0.5, answer: 'b\0\ud800', isExact: false, choice: null, isCorrect: null };
const share = { value: 0, low: 0, high: 0.6 };
const result = { loss: null, exactMatch: share, accuracy: null, answerTokens: 4 };

describeOnHomes('evaluation store', (home) => {
  let dataSource: DataSource;
  let store: EvaluationStore;
  let base: BaseModel;
  const [one, two] = [createRowId(), createRowId()];

  before(async () => {
    dataSource = await openDataSource(home.configuration, [BaseModel, ModelEvaluation]);
    store = new EvaluationStore(dataSource);
    base = await new RegistryService(dataSource).addBaseModel(newBaseModel('org/base'));
  });
  afterEach(() => dataSource.query('DELETE FROM model_evaluations'));
  after(() => dataSource.destroy());

  function create(name = 'test'): Promise<RowId> {
    const wanted: NewEvaluation = {
      baseModelId: base.id,
      adapterVersionId: null,
      compositionVersionId: null,
      model: base.name,
      name,
      requestDigest: digestOf(name),
      examplesDigest: digestOf('examples'),
      settings: { mixture: [], maxTokens: 32, choices: null, lengthNormalized: false },
      examples,
    };
    return store.create(wanted);
  }
  const expire = () => dataSource.query(`UPDATE model_evaluations SET lease_until = now() - interval '1 second' WHERE status = 'running'`);
  const statusOf = async (id: RowId) => (await store.get(id)).status;

  it('is claimed once, oldest first, one per base model, with its examples', async () => {
    const [first, second] = [await create('first'), await create('second')];
    const claimed = await store.claim(one);
    assert.equal(claimed?.id, first);
    assert.deepEqual(await store.getExamples(first), examples);
    assert.equal(await store.claim(two), undefined, 'the base model runs one');
    assert.ok(await store.finish(first, one, { status: 'succeeded', result }));
    assert.equal((await store.claim(two))?.id, second);
  });

  it('keeps outcomes as they were, infinite losses and odd answers too, and counts them', async () => {
    const id = await create();
    await store.claim(one);
    const infinite = { ...outcome, nll: null, choice: 1, isCorrect: true };
    assert.ok(await store.saveOutcomes(id, one, new Map([[1, infinite]])));
    assert.ok(await store.saveOutcomes(id, one, new Map([[0, outcome]])));
    assert.deepEqual(
      await store.listOutcomes(id),
      new Map([
        [0, outcome],
        [1, infinite],
      ]),
    );
    assert.deepEqual(await store.getProgress(id), { status: 'running', evaluated: 2, total: 2 });
  });

  it('hears nobody but the owner', async () => {
    const id = await create();
    await store.claim(one);
    await expire();
    await store.recoverAbandoned();
    assert.equal(await statusOf(id), 'queued');
    assert.equal((await store.claim(two))?.id, id);
    assert.equal(await store.saveOutcomes(id, one, new Map([[0, outcome]])), false);
    assert.equal((await store.listOutcomes(id)).size, 0);
    assert.equal((await store.getProgress(id)).evaluated, 0);
    assert.equal(await store.finish(id, one, { status: 'cancelled' }), false);
    await store.release(id, one);
    assert.deepEqual(await store.renew(id, one), { held: false, cancelRequested: false });
    assert.deepEqual(await store.renew(id, two), { held: true, cancelRequested: false });
    assert.equal(await statusOf(id), 'running');
  });

  it('is given up after three starts without an example, not before; the same request takes it up again', async () => {
    const id = await create();
    for (let start = 0; start < 2; start++) {
      await store.claim(one);
      await expire();
      await store.recoverAbandoned();
    }
    await store.claim(one);
    await store.saveOutcomes(id, one, new Map([[0, outcome]]));
    for (let start = 0; start < 3; start++) {
      assert.notEqual(await statusOf(id), 'failed', 'an example done begins the count anew');
      await expire();
      await store.recoverAbandoned();
      if (start < 2) await store.claim(one);
    }
    const failed = await store.get(id);
    assert.deepEqual([failed.status, failed.error?.code], ['failed', 'EVALUATION_ABANDONED']);
    assert.equal(await create(), id);
    const again = await store.claim(two);
    assert.deepEqual([again?.id, again?.attempts, again?.evaluated, again?.error], [id, 1, 1, null]);
  });

  it('cancelled while its process is gone, it is cancelled', async () => {
    const id = await create();
    await store.claim(one);
    assert.ok(await store.cancel(id));
    assert.deepEqual(await store.renew(id, one), { held: true, cancelRequested: true });
    await expire();
    await store.recoverAbandoned();
    assert.equal(await statusOf(id), 'cancelled');
    assert.equal(await store.cancel(id), false);
  });

  it('succeeded, it drops its examples and is left alone by the same request', async () => {
    const id = await create();
    await store.claim(one);
    await store.finish(id, one, { status: 'succeeded', result });
    const [row] = await dataSource.query<{ examples: unknown }[]>('SELECT examples FROM model_evaluations WHERE id = $1', [id]);
    assert.equal(row?.examples, null);
    assert.equal(await create(), id);
    assert.deepEqual([await statusOf(id), (await store.listSucceeded(base.id)).map((found) => found.id)], ['succeeded', [id]]);
  });

  it('refuses when too many wait', async () => {
    for (let i = 0; i < 100; i++) await create(`waiting ${i}`);
    await assert.rejects(create('one more'), (error) => error instanceof BraidError && error.code === 'TOO_MANY_EVALUATIONS');
  });
});
