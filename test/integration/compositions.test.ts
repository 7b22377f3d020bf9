// What becomes of compositions over HTTP: composed anew when their adapters have new versions, and their reports as pages.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CompositionJobView, CompositionView } from '#src/compose/compose.views.js';
import { nameStrategy, parseStrategy } from '#src/compose/strategy.js';
import { examplesKey } from '#src/storage/keys.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { createComposeHub, examples } from '#test/fixtures/compose/compose-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

describeOnHomes('compositions', (home) => {
  const hub = createComposeHub(home);

  it('recompose: newest candidates, the same examples and settings, the old weights first; also when the job is gone', async () => {
    const first = await hub.start({
      name: 'me/again',
      budget: 12,
      seed: 9,
      strategy: 'search=random',
      adapters: ['me/first', 'me/upper@1.0.0'],
      choices: ['the', 'd'],
      regularisation: 0.01,
      bound: 1.25,
    });
    await hub.followJob(first);
    const refuse = async (path: string): Promise<[number, string]> => {
      const { status, body } = await hub.post<{ error: { code: string } }>(path);
      return [status, body.error.code];
    };
    const path = '/api/compositions/me/again/recompose';
    assert.deepEqual(await refuse(path), [409, 'NOTHING_CHANGED']);
    assert.deepEqual(await refuse('/api/compositions/me/nothing/recompose'), [404, 'UNKNOWN_COMPOSITION']);
    assert.deepEqual(await refuse('/api/compositions/me/first/recompose'), [404, 'UNKNOWN_COMPOSITION']);

    await hub.publish('me/upper', 'tiny/base', 77);
    const dataSource = hub.dataSource;
    await dataSource.query(`DELETE FROM compose_jobs WHERE id = $1`, [first]);
    const { body: before } = await hub.get<CompositionView>('/api/compositions/me/again');
    const { status, body } = await hub.post<{ id: string }>(path, { priority: 'high' });
    assert.equal(status, 202, JSON.stringify(body));
    const [row] = await dataSource.query<{ request: { warmStart: number[] } }[]>('SELECT request FROM compose_jobs WHERE id = $1', [
      body.id,
    ]);
    const weightOf = (adapter: string): number => before.parts.find((part) => part.adapter === adapter)?.weight ?? 0;
    assert.deepEqual(row?.request.warmStart, [weightOf('me/first'), weightOf('me/upper')]);
    await hub.followJob(body.id);
    const { body: job } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${body.id}`);
    assert.deepEqual(job.candidates, ['me/first@1.0.0', 'me/upper@1.1.0']);
    assert.deepEqual(
      [job.budget, job.seed, job.strategy, job.priority, job.examples],
      [12, 9, nameStrategy(parseStrategy('search=random')), 'high', 2],
    );
    assert.equal(job.composition?.version, '1.1.0');
    assert.equal(job.composition.recipe.examples.digest, before.recipe.examples.digest);
    assert.deepEqual(job.composition.recipe.objective, { name: 'choice', choices: ['the', 'd'], regularisation: 0.01, bound: 1.25 });
  });

  it('the report as a page: its own examples and answers, a policy that lets nothing run, and refusals in JSON', async () => {
    const hostile = '</main><script>alert(1)</script>';
    const asked = [...examples, { prompt: hostile, completion: ' <b>' }, { prompt: 'a\0b\ud800', completion: ' \0' }];
    const id = await hub.start({ name: 'me/reported', examples: asked });
    assert.equal((await hub.followJob(id)).at(-1)?.type, 'done');
    const { report } = (await hub.get<CompositionView>('/api/compositions/me/reported')).body;
    assert.equal(report.answers?.length, 4);
    for (const { base, composed } of report.answers) {
      assert.ok(base !== null && composed !== null);
      assert.ok(base.text.length <= 600 && composed.text.length <= 600);
    }

    for (const query of ['', '?version=1.0.0']) {
      const response = await fetch(`${hub.url}/api/compositions/me/reported/report${query}`);
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+';.* frame-ancestors 'none'; sandbox$/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      const page = await response.text();
      assert.ok(page.includes('&lt;/main&gt;&lt;script&gt;alert(1)&lt;/script&gt;') && !page.includes('<script'));
      assert.ok(page.includes('me/<wbr>reported') && page.includes('Example 4') && page.includes(report.verdict.slice(0, 20)));
    }

    const refused = async (path: string): Promise<unknown[]> => {
      const response = await fetch(`${hub.url}/api/compositions/${path}`);
      const { error } = (await response.json()) as { error: { code: string } };
      return [response.status, response.headers.get('content-type'), error.code];
    };
    const json = 'application/json; charset=utf-8';
    assert.deepEqual(await refused('me/nothing/report'), [404, json, 'UNKNOWN_COMPOSITION']);
    assert.deepEqual(await refused('me/reported/report?version=9.9.9'), [404, json, 'UNKNOWN_VERSION']);
    assert.deepEqual(await refused('me/reported/report?version=nine'), [400, json, 'INVALID_NAME']);
  });

  it('a report without its examples still shows its numbers; a composition that no search made has none', async () => {
    const dataSource = hub.dataSource;
    await hub.followJob(await hub.start({ name: 'me/bare', budget: 6, examples: [{ prompt: 'only here', completion: ' once' }] }));
    const { recipe } = (await hub.get<CompositionView>('/api/compositions/me/bare')).body;
    await hub.app.get<ObjectStore>(OBJECT_STORE, { strict: false }).delete(examplesKey(recipe.examples.digest));
    const page = await (await fetch(`${hub.url}/api/compositions/me/bare/report`)).text();
    assert.ok(page.includes('The texts of the examples were not kept') && !page.includes('only here'));
    await dataSource.query(`UPDATE composition_versions SET report = '{}' WHERE recipe->'examples'->>'digest' = $1`, [
      recipe.examples.digest,
    ]);
    const { status, body } = await hub.get<{ error: { code: string } }>('/api/compositions/me/bare/report');
    assert.deepEqual([status, body.error.code], [404, 'REPORT_MISSING']);
  });
});
