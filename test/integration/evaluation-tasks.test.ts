// Evaluations that several processes share, in a real database: each done once, those of dead and failing helpers too, and in even parts.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import { ComposeJob } from '#src/compose/jobs/compose-job.entity.js';
import { ComposeJobStore } from '#src/compose/jobs/compose-job.store.js';
import type { Evaluate, EvaluationRequest, ExampleLoss } from '#src/compose/evaluate.js';
import { EvaluationTaskStore, type TaskWork } from '#src/compose/evaluations/evaluation-task.store.js';
import type { EvaluationScope } from '#src/compose/evaluations/remember-evaluations.js';
import { createSharedEvaluation, doTask } from '#src/compose/evaluations/share-evaluations.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { createRowId, digestOf, parseRepoName, parseVersion, type RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const candidates = [digestOf('a'), digestOf('b')];
/** Long enough to be worth a task each. */
const examples: readonly TokenizedExample[] = [0, 1, 2].map((token) => ({ ids: new Array<number>(150).fill(token), from: 100 + token }));
const population: readonly EvaluationRequest[] = Array.from({ length: 16 }, (_, i) => ({
  weights: [i / 3, 1 - i],
  examples: i % 2 === 0 ? [0] : [2, 1],
}));

/** A loss that names everything it is of, so that none can be taken for another. */
function lossOf(weights: readonly number[], { ids, from }: TokenizedExample | { ids: readonly number[]; from: number }): ExampleLoss {
  const token = ids[0] ?? -1;
  const nll = weights[0] === 5 ? Infinity : (weights[0] ?? 0) * 1000 + token / 7;
  return { nll, tokens: ids.length - from, isExact: token === 1 };
}

/** Resolves for everybody once so many have come to it. */
function createBarrier(count: number): () => Promise<void> {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let come = 0;
  return () => {
    if (++come === count) open();
    return opened;
  };
}

describeOnHomes('shared evaluations', (home) => {
  let dataSource: DataSource;
  let tasks: EvaluationTaskStore;
  let scope: EvaluationScope;
  let jobId: RowId;
  const owner = createRowId();
  const helpers: { stop: () => Promise<void> }[] = [];

  before(async () => {
    dataSource = await openDataSource(home.configuration, [BaseModel, ComposeJob]);
    tasks = new EvaluationTaskStore(dataSource);
    const base = await new RegistryService(dataSource).addBaseModel({
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
    scope = { base, candidates, examples, space: 'delta', precision: 'float32' };
    const jobs = new ComposeJobStore(dataSource);
    jobId = await jobs.create({
      name: parseRepoName('me/made'),
      version: undefined,
      baseModelId: base.id,
      request: {
        candidates: [{ adapter: parseRepoName('me/a'), version: parseVersion('1.0.0'), digest: digestOf('a') }],
        examples: [],
        examplesDigest: digestOf(''),
        budget: 9,
        seed: 1,
        strategy: 'select-then-search',
      },
    });
    await jobs.claim(owner);
  });
  after(() => dataSource.destroy());
  afterEach(async () => {
    await Promise.all(helpers.splice(0).map(({ stop }) => stop()));
    await dataSource.query('DELETE FROM compose_workers');
    assert.deepEqual(await dataSource.query('SELECT 1 FROM compose_tasks'), [], 'no task is left');
  });

  /** What a model would say, counted, after a while for each example. */
  function evaluation(pauseMs: number, own = examples): { evaluate: Evaluate; done: string[] } {
    const done: string[] = [];
    const evaluate: Evaluate = async (requests) => {
      const losses: ExampleLoss[][] = [];
      for (const { weights, examples: wanted } of requests) {
        const row: ExampleLoss[] = [];
        for (const index of wanted) {
          if (pauseMs > 0) await sleep(pauseMs);
          const example = own[index];
          assert.ok(example !== undefined);
          done.push(`${weights.join()}/${example.ids[0]}`);
          row.push(lossOf(weights, example));
        }
        losses.push(row);
      }
      return losses;
    };
    return { evaluate, done };
  }

  /** Another process that does tasks; `onWork` may fail or hang in its place. */
  async function startHelper(
    pauseMs: number,
    onWork: () => Promise<void> = () => Promise.resolve(),
  ): Promise<{ id: RowId; done: string[] }> {
    const id = createRowId();
    const done: string[] = [];
    const stopping = new AbortController();
    await tasks.announce(id);
    const loop = async (): Promise<void> => {
      while (!stopping.signal.aborted) {
        const task = await tasks.claim(id, {});
        if (task === undefined) {
          await sleep(10);
          continue;
        }
        const { evaluate, done: own } = evaluation(pauseMs, task.work.examples);
        await doTask(task, {
          tasks,
          owner: id,
          evaluate: async () => {
            await onWork();
            return evaluate(task.work.requests);
          },
        }).catch(() => undefined);
        done.push(...own);
      }
    };
    const ended = loop();
    helpers.push({
      stop: async () => {
        stopping.abort();
        await ended;
      },
    });
    return { id, done };
  }

  const shared = (here: Evaluate, signal?: AbortSignal): Evaluate =>
    createSharedEvaluation(here, { tasks, jobId, owner, scope, countOthers: () => tasks.countOthers(owner), signal });

  const expected = population.map(({ weights, examples: wanted }) =>
    wanted.map((i) => lossOf(weights, examples[i] ?? { ids: [], from: 0 })),
  );

  it('alone, it is the evaluation itself', async () => {
    const { evaluate, done } = evaluation(0);
    assert.deepEqual(await shared(evaluate)(population), expected);
    assert.equal(done.length, 24);
  });

  it('with helpers the same answers come, each example is evaluated once, and four workers do at least three times the work of one', async () => {
    const here = evaluation(0);
    // Nobody is done before all have begun: evaluations that take long, without their time.
    const begun = createBarrier(4);
    const there = [await startHelper(0, begun), await startHelper(0, begun), await startHelper(0, begun)];
    const answers = shared(async (requests) => {
      await begun();
      return here.evaluate(requests);
    })(population);
    assert.deepEqual(await answers, expected);
    const all = [here.done, ...there.map(({ done }) => done)];
    assert.equal(all.flat().length, 24);
    assert.equal(new Set(all.flat()).size, 24);
    assert.ok(
      all.every((part) => part.length > 0 && part.length <= 24 / 3),
      JSON.stringify(all.map((part) => part.length)),
    );
  });

  it('a helper that fails leaves its task to others', async () => {
    const here = evaluation(5);
    await startHelper(0, () => Promise.reject(new Error('no model here')));
    assert.deepEqual(await shared(here.evaluate)(population), expected);
    assert.equal(new Set(here.done).size, 24);
  });

  it('a helper that dies leaves its task when its lease is over', async () => {
    const dead = createRowId();
    await tasks.announce(dead);
    const here = evaluation(0);
    const begun = createBarrier(2);
    const answers = shared(async (requests) => {
      await begun();
      return here.evaluate(requests);
    })(population);
    let stolen: Awaited<ReturnType<EvaluationTaskStore['claim']>>;
    while ((stolen = await tasks.claim(dead, {})) === undefined) await sleep(1);
    const late = stolen;
    await begun();
    await dataSource.query(`UPDATE compose_tasks SET lease_until = now() - interval '1 second' WHERE lease_owner = $1`, [dead]);
    assert.deepEqual(await answers, expected);
    assert.equal(await tasks.finish(late, dead, []), false, 'its answer comes too late');
    assert.equal(await tasks.renew(late, dead), false);
  });

  it('a fault of its own ends it, and so does an abort', async () => {
    await startHelper(30);
    await assert.rejects(shared(() => Promise.reject(new Error('broken')))(population), /broken/);
    const controller = new AbortController();
    const here = evaluation(20);
    const answers = shared(here.evaluate, controller.signal)(population);
    setTimeout(() => controller.abort(new Error('cancelled')), 60);
    await assert.rejects(answers, /cancelled|aborted/);
  });

  it('tasks: none of a job that does not run, none on a base that is avoided, none that failed three times but for its own job', async () => {
    const work: TaskWork = { candidates, examples, requests: population, space: 'delta', precision: 'float32' };
    await tasks.replace(jobId, scope.base.id, [work, work]);
    await tasks.replace(jobId, scope.base.id, [work]);
    assert.equal(await tasks.claim(createRowId(), { withoutBases: [scope.base.id] }), undefined);
    for (let i = 0; i < 3; i++) {
      const helper = createRowId();
      const task = await tasks.claim(helper, {});
      assert.deepEqual(task, { jobId, position: 0, base: { id: scope.base.id, digest: scope.base.digest }, work });
      assert.equal(await tasks.claim(createRowId(), {}), undefined, 'one holder at a time');
      assert.equal(await tasks.collect(jobId), undefined);
      await tasks.release(task, helper);
    }
    assert.equal(await tasks.claim(createRowId(), {}), undefined);
    const own = await tasks.claim(owner, { jobId });
    assert.ok(own !== undefined && (await tasks.finish(own, owner, expected)));
    assert.deepEqual(await tasks.collect(jobId), [expected], 'Infinity comes back as such');
    await tasks.replace(jobId, scope.base.id, [work]);
    await dataSource.query(`UPDATE compose_jobs SET status = 'queued', lease_owner = NULL, lease_until = NULL WHERE id = $1`, [jobId]);
    assert.equal(await tasks.claim(createRowId(), {}), undefined);
    await dataSource.query(`UPDATE compose_jobs SET status = 'running', lease_owner = $2, lease_until = now() WHERE id = $1`, [
      jobId,
      owner,
    ]);
    await tasks.clear(jobId);
  });

  it('who is there: counted while they say so, not oneself', async () => {
    const [one, two] = [createRowId(), createRowId()];
    for (const id of [one, two, two]) await tasks.announce(id);
    assert.deepEqual([await tasks.countOthers(one), await tasks.countOthers(createRowId())], [1, 2]);
    await dataSource.query(`UPDATE compose_workers SET seen_at = now() - interval '16 seconds' WHERE id = $1`, [two]);
    assert.equal(await tasks.countOthers(one), 0);
    await tasks.leave(one);
    assert.equal(await tasks.countOthers(createRowId()), 0);
  });
});
