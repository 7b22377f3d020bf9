// A hub process that is killed in the middle of a search: the next one goes on where it was, on both homes.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable } from 'node:stream';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CompositionJobView } from '#src/compose/compose.views.js';
import type { Configuration } from '#src/config/configuration.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const script = fileURLToPath(new URL('../fixtures/compose/hub-that-counts.js', import.meta.url));

interface CountingHub {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly url: string;
  /** One entry for each call of the engine: its rows. */
  readonly calls: (readonly string[])[];
}

function environmentOf({ dataDir, databaseUrl, s3 }: Configuration): Record<string, string> {
  return {
    BRAID_DATA: dataDir,
    BRAID_PORT: '0',
    BRAID_LOG_LEVEL: 'error',
    BRAID_THREADS: '1',
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
    ...(s3 !== undefined && {
      S3_ENDPOINT: `http://${s3.endPoint}:${s3.port}`,
      S3_BUCKET: s3.bucket,
      S3_ACCESS_KEY: s3.accessKey,
      S3_SECRET_KEY: s3.secretKey,
    }),
  };
}

describeOnHomes('a search in a hub that is killed', (home) => {
  const root = mkdtempSync(join(tmpdir(), 'braid-killed-'));
  const hubs: CountingHub[] = [];

  before(() => writeTinyModel(root));
  after(async () => {
    for (const hub of hubs) await kill(hub);
    rmSync(root, { recursive: true });
  });

  async function start(): Promise<CountingHub> {
    const child = spawn(process.execPath, ['--enable-source-maps', script], {
      env: { PATH: process.env['PATH'], ...environmentOf(home.configuration) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const calls: string[][] = [];
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('url ')) resolve(line.slice(4));
        if (line.startsWith('call ')) calls.push((JSON.parse(line.slice(5)) as unknown[]).map((row) => JSON.stringify(row)));
      });
      child.once('exit', (status) => reject(new Error(`the hub ended with ${status}: ${errors}`)));
    });
    const hub = { process: child, url, calls };
    hubs.push(hub);
    return hub;
  }

  async function kill({ process: child }: CountingHub): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    // The lines that it wrote before its death are read to their end.
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  async function send<Body>(hub: CountingHub, path: string, body?: unknown): Promise<Body> {
    const response = await fetch(hub.url + path, {
      ...(body !== undefined && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return (await response.json()) as Body;
  }

  async function untilTrue(isDone: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + 60_000; !(await isDone());) {
      assert.ok(performance.now() < deadline, 'it did not come to pass in a minute');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** What is in the database while no hub runs; the lease of the dead one is over, which would take LEASE_MS by itself. */
  async function lookBetween(): Promise<number> {
    const dataSource = await openDataSource(home.configuration, []);
    try {
      await dataSource.query(`UPDATE compose_jobs SET lease_until = now() - interval '1 second' WHERE status = 'running'`);
      const [row] = await dataSource.query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations');
      return row?.count ?? 0;
    } finally {
      await dataSource.destroy();
    }
  }

  it('four kills: no evaluation that was written is done again, and the job succeeds', async () => {
    let hub = await start();
    await send(hub, '/api/base-models', { directory: root, name: 'tiny/base' });
    for (const [seed, word] of ['first', 'upper', 'last'].entries()) {
      const { config, weights } = createTinyAdapter({ seed: seed + 1, size: 1.5 });
      const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
      const { status } = await publishFiles(hub.url, { name: `me/${word}`, base: 'tiny/base' }, files);
      assert.equal(status, 201);
    }
    const published = hub.calls.length;
    const { id } = await send<{ id: string }>(hub, '/api/compositions/jobs', {
      name: 'me/made',
      base: 'tiny/base',
      examples: [
        { prompt: 'the the', completion: ' the' },
        { prompt: 'a b c', completion: ' d' },
      ],
      budget: 400,
      seed: 3,
    });
    const lives: (readonly string[])[][] = [];
    for (let life = 0; life < 4; life++) {
      const skipped = life === 0 ? published : 0;
      await untilTrue(() => hub.calls.length >= skipped + 3);
      await kill(hub);
      lives.push(hub.calls.slice(skipped));
      assert.ok(
        (await lookBetween()) >= lives.flatMap((calls) => calls.slice(0, -1)).flat().length,
        'every answered batch but the last is written',
      );
      hub = await start();
    }
    let job: CompositionJobView | undefined;
    await untilTrue(async () => {
      job = await send<CompositionJobView>(hub, `/api/compositions/jobs/${id}`);
      return job.status !== 'queued' && job.status !== 'running';
    });
    assert.deepEqual([job?.status, job?.error], ['succeeded', null]);
    lives.push(hub.calls);
    const done = new Set<string>();
    for (const [life, calls] of lives.entries()) {
      const repeated = calls.flat().filter((row) => done.has(row));
      assert.deepEqual(repeated, [], `life ${life + 1} repeats nothing`);
      // A batch that was answered in the moment of death may not have been written any more.
      for (const row of (life < lives.length - 1 ? calls.slice(0, -1) : calls).flat()) done.add(row);
    }
    assert.ok(lives.every((calls) => calls.length > 0));
  });
});
