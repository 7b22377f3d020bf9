// Composition jobs from queue to registry on a real (tiny) model: success, repetition, cancel, shutdown, crash and failure.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, it } from 'node:test';
import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { listLinearModules } from '#kernels/models/models.js';
import { loadBaseModelFiles } from '#src/base-models/load-base-model-files.js';
import { ComposeJob } from '#src/compose/jobs/compose-job.entity.js';
import { ComposeJobStore } from '#src/compose/jobs/compose-job.store.js';
import { digestOfExamples, findKeptExamples } from '#src/compose/kept-examples.js';
import { EvaluationStore } from '#src/compose/evaluations/evaluation-store.js';
import { EvaluationTaskStore } from '#src/compose/evaluations/evaluation-task.store.js';
import { EvaluationWorker } from '#src/compose/evaluations/evaluation-worker.service.js';
import { JobBroadcast } from '#src/compose/jobs/job-broadcast.js';
import { JobRunner } from '#src/compose/jobs/job-runner.service.js';
import { JobSearch } from '#src/compose/jobs/job-search.service.js';
import type { CompositionReport, Recipe } from '#src/compose/report.js';
import { RewardHooks } from '#src/compose/rewards/reward-hooks.service.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { BraidError } from '#src/http/braid-error.js';
import { type Digest, digestOf, parseRepoName, parseVersion, type RowId, type Version } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { Repository } from '#src/registry/repository.entity.js';
import type { Engine } from '#src/runtime/engine.js';
import { type ModelEngine, openEngine } from '#src/runtime/model-engine.js';
import type { ObjectStore } from '#src/storage/object-store.js';
import { openObjectStore } from '#src/storage/storage.module.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import type { WorkStatus } from '#src/work/work-status.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const examples = parseExamples([
  { prompt: 'the the', completion: ' the' },
  { prompt: 'a b c', completion: ' d' },
]);

function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

describeOnHomes('composition runner', (home) => {
  const directory = mkdtempSync(join(tmpdir(), 'braid-compose-'));
  const adapters = new Map<Digest, CanonicalAdapter>();
  const runners: JobRunner[] = [];
  let dataSource: DataSource;
  let registry: RegistryService;
  let store: ComposeJobStore;
  let objects: ObjectStore;
  let base: BaseModel;
  let engine: ModelEngine;
  /** What stands between a search and its engine; replaced by tests that need to stop it or break it. */
  let score: Engine['score'];
  /** Why no engine can be had. */
  let openingFails: BraidError | undefined;

  before(async () => {
    // Failures are part of what is tested here.
    Logger.overrideLogger(false);
    writeTinyModel(directory);
    dataSource = await openDataSource(home.configuration, [BaseModel, Repository, AdapterVersion, CompositionVersion, ComposeJob]);
    registry = new RegistryService(dataSource);
    store = new ComposeJobStore(dataSource);
    objects = await openObjectStore(home.configuration);
    base = await registry.addBaseModel({
      name: parseRepoName('tiny/base'),
      digest: digestOf('tiny base'),
      directory,
      architecture: 'LlamaForCausalLM',
      config: {},
      parameterCount: 1,
      weightBytes: 4,
      contextLength: 256,
      vocabularySize: 272,
    });
    const { config, tensors } = await loadBaseModelFiles(directory);
    for (const seed of [1, 2, 3]) {
      const files = createTinyAdapter({ seed, size: 1.5 });
      const adapter = readPeftAdapter(parseAdapterConfig(files.config), files.weights, listLinearModules(config));
      adapters.set(digestOfAdapter(adapter), adapter);
    }
    engine = await openEngine({
      directory,
      config,
      tensors,
      adapters: { load: (digest) => Promise.resolve(adapters.get(digest) ?? Promise.reject(new Error('no such adapter'))) },
      provider: 'cpu',
      threads: 1,
      maxBatchRows: 16,
      maxQueue: 16,
      adapterMemoryBytes: 1 << 26,
    });
    score = (rows, options) => engine.score(rows, options);
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.onModuleDestroy()));
    score = (rows, options) => engine.score(rows, options);
    await dataSource.query('DELETE FROM compose_jobs');
    await dataSource.query('DELETE FROM compose_evaluations');
  });
  after(async () => {
    await engine.close();
    await dataSource.destroy();
    rmSync(directory, { recursive: true });
  });

  /** A process that runs jobs. */
  function startRunner(): { runner: JobRunner; broadcast: JobBroadcast } {
    const broadcast = new JobBroadcast();
    const engines = {
      get: () =>
        openingFails === undefined
          ? Promise.resolve<Engine>({
              contextLength: engine.contextLength,
              vocabularySize: engine.vocabularySize,
              hiddenSize: engine.hiddenSize,
              hasEncoder: engine.hasEncoder,
              score: (rows, options) => score(rows, options),
              embed: (rows, options) => engine.embed(rows, options),
              generate: (request) => engine.generate(request),
            })
          : Promise.reject(openingFails),
    };
    const evaluations = new EvaluationStore(dataSource);
    const worker = new EvaluationWorker(new EvaluationTaskStore(dataSource), evaluations, engines, {});
    const rewards = new RewardHooks({ rewardOrigins: [], rewardTimeoutMs: 1_000 });
    const runner = new JobRunner(store, broadcast, new JobSearch(registry, new TokenizerService(), worker, rewards, engines, objects));
    runners.push(runner);
    runner.onApplicationBootstrap();
    return { runner, broadcast };
  }

  function queue(name: string, { budget = 40, version }: { budget?: number; version?: Version } = {}): Promise<RowId> {
    return store.create({
      name: parseRepoName(name),
      version,
      baseModelId: base.id,
      request: {
        candidates: [...adapters.keys()].map((digest, i) => ({
          adapter: parseRepoName(`tiny/a${i}`),
          version: parseVersion('1.0.0'),
          digest,
        })),
        examples,
        examplesDigest: digestOf('examples'),
        budget,
        seed: 7,
        strategy: 'select-then-search',
      },
    });
  }

  async function until(id: RowId, ...wanted: WorkStatus[]): Promise<ComposeJob> {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
      const job = await store.get(id);
      if (wanted.includes(job.status)) return job;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`the job did not become ${wanted.join(' or ')}: ${JSON.stringify(await store.get(id))}`);
  }

  async function untilTrue(isDone: () => Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + 30_000; !(await isDone());) {
      assert.ok(performance.now() < deadline, 'it did not come to pass in 30 s');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Names every row that the engine computes. */
  function counted(): string[] {
    const rows: string[] = [];
    score = async (wanted, options) => {
      const results = await engine.score(wanted, options);
      rows.push(...wanted.map((row) => JSON.stringify(row)));
      return results;
    };
    return rows;
  }

  /** Lets `free` calls of the engine through, then holds the next one until it is let go or aborted. */
  function holdAfter(free: number): { reached: Promise<void>; letGo: () => void } {
    let calls = 0;
    const gate = createGate();
    const reached = createGate();
    const ready = score;
    score = async (rows, options) => {
      if (++calls > free) {
        reached.open();
        const aborted = new Promise<void>((_, reject) => options?.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
        await Promise.race([gate.opened, aborted]);
      }
      return ready(rows, options);
    };
    return { reached: reached.opened, letGo: () => gate.open() };
  }

  it('a search becomes a composition version whose report is what the engine says', async () => {
    startRunner();
    const job = await until(await queue('me/made'), 'succeeded', 'failed');
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
    const made = await registry.getCompositionVersion(parseRepoName('me/made'), job.compositionVersion ?? undefined);
    const report = made.report as unknown as CompositionReport;
    const recipe = made.recipe as unknown as Recipe;
    const codec = await new TokenizerService().get(base);
    const rows = tokenizeExamples(examples, codec, 256);
    const lossOf = async (mixture: { digest: Digest; weight: number }[]): Promise<number> => {
      const results = await engine.score(rows.map(({ ids, from }) => ({ ids, from, mixture })));
      const logprobs = results.flatMap((result) => [...result.logprobs]);
      return -logprobs.reduce((sum, x) => sum + x, 0) / logprobs.length;
    };
    const near = (a: number | null, b: number): void => assert.ok(a !== null && Math.abs(a - b) < 1e-4, `${a} and ${b}`);
    near(report.base.loss, await lossOf([]));
    near(report.composed.loss, await lossOf(made.parts.map(({ digest, weight }) => ({ digest, weight }))));
    for (const [i, digest] of [...adapters.keys()].entries()) near(report.singles[i]?.loss ?? null, await lossOf([{ digest, weight: 1 }]));
    for (const { objective } of [report.base, report.uniform, ...report.singles]) {
      assert.ok((report.composed.objective ?? Infinity) <= (objective ?? Infinity));
    }
    assert.equal(report.evaluations, 40);
    assert.equal(recipe.seed, 7);
    assert.deepEqual(recipe.base, { name: base.name, digest: base.digest });
    assert.equal(recipe.examples.count, 2);
    assert.equal(
      recipe.examples.answerTokens,
      rows.reduce((sum, { ids, from }) => sum + ids.length - from, 0),
    );
    assert.equal(job.progress.evaluations, 40);
    assert.equal(job.progress.bestObjective, report.composed.objective);
    const improvements = await store.listImprovements(job.id, -1);
    assert.equal(improvements.at(-1)?.bestObjective, report.composed.objective, 'the log of improvements ends with the best');
    assert.deepEqual(await store.listImprovements(job.id, improvements.at(-1)?.evaluations ?? 0), []);
    assert.deepEqual(
      await findKeptExamples(objects, digestOfExamples(examples)),
      examples.map(({ example }) => example),
      'the examples outlive the job',
    );
    assert.deepEqual(made.recipe['settings'], { budget: 40, seed: 7, strategy: 'select-then-search' });
  });

  it('the same job again is the same composition, so no second version comes of it', async () => {
    startRunner();
    const first = await until(await queue('me/twice'), 'succeeded', 'failed');
    const second = await until(await queue('me/twice'), 'succeeded', 'failed');
    assert.equal(first.compositionVersion, '1.0.0');
    assert.equal(second.compositionVersion, '1.0.0');
  });

  it('two runners, three jobs on one base model: one at a time, all done', async () => {
    let atOnce = 0;
    let most = 0;
    score = async (rows, options) => {
      most = Math.max(most, ++atOnce);
      try {
        return await engine.score(rows, options);
      } finally {
        atOnce--;
      }
    };
    const ids = [await queue('me/q1', { budget: 12 }), await queue('me/q2', { budget: 12 }), await queue('me/q3', { budget: 12 })];
    startRunner();
    startRunner();
    for (const id of ids) assert.equal((await until(id, 'succeeded', 'failed')).status, 'succeeded');
    assert.equal(most, 1);
  });

  it('cancel stops a running job within one batch; nothing comes of it', async () => {
    const { reached } = holdAfter(2);
    const { runner } = startRunner();
    const id = await queue('me/cancelled');
    runner.look();
    await reached;
    assert.ok(await store.cancel(id));
    runner.cancel(id);
    const job = await until(id, 'cancelled');
    assert.ok(job.progress.evaluations < 40 && job.progress.evaluations > 0);
    assert.equal(await registry.findRepository(parseRepoName('me/cancelled')), undefined);
  });

  it('a shutdown gives the job back, and the next process finishes it', async () => {
    const { reached } = holdAfter(1);
    const { runner } = startRunner();
    const id = await queue('me/interrupted');
    runner.look();
    await reached;
    await runner.onModuleDestroy();
    const waiting = await store.get(id);
    assert.equal(waiting.status, 'queued');
    assert.equal(waiting.attempts, 0);
    score = (rows, options) => engine.score(rows, options);
    startRunner();
    assert.equal((await until(id, 'succeeded', 'failed')).status, 'succeeded');
  });

  it('a job that was stopped anywhere goes on where it was: nothing is evaluated twice, and the same comes of it', async () => {
    startRunner();
    const whole = counted();
    await until(await queue('me/whole'), 'succeeded', 'failed');
    const { parts } = await registry.getCompositionVersion(parseRepoName('me/whole'));
    assert.ok(whole.length > 60);
    await Promise.all(runners.splice(0).map((runner) => runner.onModuleDestroy()));

    await dataSource.query('DELETE FROM compose_evaluations');
    const stopped = counted();
    const answering = score;
    const id = await queue('me/stopped');
    for (const calls of [1, 2, 1]) {
      score = answering;
      const { reached } = holdAfter(calls);
      const { runner } = startRunner();
      await reached;
      await runner.onModuleDestroy();
    }
    score = answering;
    startRunner();
    assert.equal((await until(id, 'succeeded', 'failed')).status, 'succeeded');
    assert.deepEqual([...stopped].sort(), [...whole].sort());
    assert.equal(new Set(stopped).size, stopped.length, 'no row twice');
    assert.deepEqual((await registry.getCompositionVersion(parseRepoName('me/stopped'))).parts, parts);

    const again = counted();
    await until(await queue('me/known'), 'succeeded', 'failed');
    assert.deepEqual(again, [], 'a later job on the same candidates and examples computes nothing');
  });

  it('a job whose process is gone is taken over; the late process cannot write over it', async () => {
    const { reached, letGo } = holdAfter(1);
    const { runner } = startRunner();
    const id = await queue('me/orphan');
    runner.look();
    await reached;
    const [{ lease_owner: first } = { lease_owner: '' }] = await dataSource.query<{ lease_owner: string }[]>(
      'SELECT lease_owner FROM compose_jobs WHERE id = $1',
      [id],
    );
    // A last word of the first process, its progress, may still be on its way.
    await untilTrue(async () => {
      await dataSource.query(`UPDATE compose_jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, [id]);
      await store.recoverAbandoned();
      return (await store.get(id)).status === 'queued';
    });
    score = (rows, options) => engine.score(rows, options);
    startRunner();
    const taken = await until(id, 'succeeded', 'failed');
    assert.equal(taken.status, 'succeeded');
    assert.equal(taken.attempts, 1, 'the second start got further than the first');
    assert.equal(await store.finish(id, first as RowId, { status: 'cancelled' }), false);
    letGo();
  });

  it('a failure of the engine ends the job with its code; one that nobody knows tells nothing', async () => {
    startRunner();
    score = () => Promise.reject(new BraidError('RUN_FAILED', { status: 500, message: 'the run failed' }));
    const known = await until(await queue('me/broken'), 'succeeded', 'failed');
    assert.deepEqual(known.error, { code: 'RUN_FAILED', message: 'the run failed', retryable: false });
    score = () => Promise.reject(new Error('secret detail'));
    const unknown = await until(await queue('me/broken'), 'succeeded', 'failed');
    assert.equal(unknown.error?.code, 'JOB_FAILED');
    assert.ok(!JSON.stringify(unknown.error).includes('secret'));
  });

  it('a failure that passes is tried again a while later', async () => {
    openingFails = new BraidError('WORKER_CRASHED', { status: 503, message: 'gone', retryable: true });
    startRunner();
    const id = await queue('me/again');
    const retried = async (attempts: number): Promise<void> => {
      await untilTrue(async () => {
        const job = await store.get(id);
        return job.status === 'queued' && job.attempts === attempts;
      });
      // The pause, without the wait.
      await dataSource.query('UPDATE compose_jobs SET run_after = now() WHERE id = $1', [id]);
    };
    await retried(1);
    openingFails = undefined;
    assert.equal((await until(id, 'succeeded', 'failed')).status, 'succeeded');
  });

  it('what passes is waited for', async () => {
    startRunner();
    let calls = 0;
    score = (rows, options) =>
      ++calls === 2
        ? Promise.reject(new BraidError('QUEUE_FULL', { status: 429, message: 'full', retryable: true }))
        : engine.score(rows, options);
    assert.equal((await until(await queue('me/patient'), 'succeeded', 'failed')).status, 'succeeded');
  });
});
