// A composition that a user's service judges, the whole way over HTTP with a real service: what is asked, what comes of it, and how bad ones end.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, it } from 'node:test';
import type { CompositionJobView, CompositionView } from '#src/compose/compose.views.js';
import { hasEnded } from '#src/work/work-status.js';
import { createComposeHub, request } from '#test/fixtures/compose/compose-hub.js';
import { untilTrue } from '#test/fixtures/compose/counting-hub.js';
import { answering, hanging, openRewardServer, rewarding, rewardExact } from '#test/fixtures/compose/reward-server.js';
import { describeOnHomes, type Home } from '#test/fixtures/homes.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';

const server = await openRewardServer();
after(() => server.close());

/** The home of a hub that may ask this service. */
function withRewards(home: Home): Home {
  return {
    kind: home.kind,
    get configuration() {
      return { ...home.configuration, rewardOrigins: [server.origin], rewardTimeoutMs: 2_000 };
    },
  };
}

/** Half of the reward for the right length, half for the right first letter. */
const graded = rewarding(({ answer, expected }) => 0.5 * +(answer.length === expected.length) + 0.5 * +(answer[0] === expected[0]));

describeOnHomes('a composition judged by a service', (home) => {
  const hub = createComposeHub(withRewards(home));
  const asked = { objective: 'reward', reward: server.url, budget: 20 };

  beforeEach(() => {
    server.behave(graded);
    server.requests.splice(0);
  });

  async function ended(id: string): Promise<CompositionJobView> {
    let job: CompositionJobView | undefined;
    await untilTrue(async () => {
      job = (await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`)).body;
      return hasEnded(job.status);
    });
    assert.ok(job);
    return job;
  }

  async function compose(name: string, changes: object = {}): Promise<CompositionView> {
    const { composition, error } = await ended(await hub.start({ name, ...asked, ...changes }));
    assert.ok(composition, JSON.stringify(error));
    return composition;
  }

  async function refused(changes: object, expected: RegExp, status = 400): Promise<void> {
    const answer = await hub.post('/api/compositions/jobs', { ...request, ...changes });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(JSON.stringify(answer.body), expected);
    assert.ok(!JSON.stringify(answer.body).includes('hunter2'));
  }

  it('asks about every answer once, and reports what the service said and nobody’s key', async () => {
    const { recipe, report } = await compose('me/judged');
    const questions = server.requests.flat();
    assert.equal(new Set(questions.map((question) => JSON.stringify(question))).size, questions.length, 'no answer is judged twice');
    for (const { prompt, expected } of questions) {
      assert.equal(expected, request.examples.find((one) => one.prompt === prompt)?.completion);
    }
    assert.ok(server.requests.length <= report.evaluations, 'batches, not single answers');
    assert.deepEqual(recipe.objective, { name: 'reward', reward: `${server.origin}/reward`, regularisation: 0.05, bound: 1.5 });
    assert.equal(report.measures?.success, 'mean reward');
    assert.match(report.verdict, /mean reward.*reward missed per example and a small share of the likelihood\.$/);
    for (const { base, composed } of report.examples) {
      for (const { nll, success = NaN, isExact } of [base, composed]) {
        assert.ok([0, 0.5, 1].includes(success) && isExact === (success === 1));
        assert.ok((nll ?? NaN) >= 1 - success && (nll ?? NaN) < 1 - success + 0.3, `${nll} at a reward of ${success}`);
      }
    }
    assert.ok((report.composed.objective ?? Infinity) <= (report.base.objective ?? -Infinity));
    const page = await (await fetch(`${hub.url}/api/compositions/me/judged/report`)).text();
    assert.ok(page.includes('Mean reward to expect') && page.includes('Full reward'));
    const jobs = await hub.get('/api/compositions/jobs');
    const view = await hub.get('/api/compositions/me/judged');
    for (const shown of [page, JSON.stringify(jobs), JSON.stringify(view)]) assert.ok(!shown.includes('hunter2'));
    assert.match(JSON.stringify(view.body), new RegExp(`"reward":"${server.origin}/reward"`));
  });

  it('what was scored for another objective is not scored again', async () => {
    const count = async (): Promise<number> =>
      (await hub.dataSource.query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations'))[0]?.count ?? NaN;
    const changes = { examples: [{ prompt: 'known a', completion: ' b' }], strategy: 'select-then-search', budget: 5 };
    await compose('me/likely', { ...changes, objective: 'likelihood', reward: undefined });
    const before = await count();
    await compose('me/judged-later', changes);
    assert.equal(await count(), before);
    assert.ok(server.requests.length > 0);
  });

  it('a service that always says the same: the search ends, all methods are expected alike, and the simplest is advised', async () => {
    for (const [reward, advice] of [
      [1, 'base'],
      [0.5, 'base'],
      [0, 'nothing'],
    ] as const) {
      server.behave(rewarding(() => reward));
      const { report } = await compose(`me/always-${reward * 10}`, { budget: 40 });
      assert.equal(report.advice, advice);
      assert.ok(Object.values(report.expected).length >= 4);
      for (const { success } of Object.values(report.expected)) assert.equal(success, reward);
      assert.match(
        report.verdict,
        advice === 'base' ? /^Use the base alone: \d+ % mean reward to expect, and no adapter promises more/ : /^Nothing/,
      );
      assert.ok(report.evaluations <= 40);
    }
  });

  it('a service of another mind each time: the first reward of an answer holds', async () => {
    let said = 0;
    const first = new Map<string, number>();
    server.behave(
      rewarding((question) => {
        const reward = (++said % 10) / 10;
        first.set(JSON.stringify(question), reward);
        return reward;
      }),
    );
    const examples = Array.from({ length: 6 }, () => ({ prompt: 'same', completion: ' a' }));
    const { report } = await compose('me/fickle', { examples });
    assert.equal(first.size, said, 'each question came once');
    for (const mixture of ['base', 'composed'] as const) {
      assert.equal(new Set(report.examples.map((example) => example[mixture].success)).size, 1, 'alike examples are rewarded alike');
    }
  });

  it('with a part held out, behind shots, in factor space, and by estimates', async () => {
    const many = Array.from({ length: 42 }, (_, i) => ({ prompt: 'a b c', completion: ` ${'abcdef'.charAt(i % 6)}` }));
    const held = await compose('me/judged-held-out', { examples: many, budget: 12 });
    assert.equal(held.recipe.strategy.validate, 'held-out');
    assert.equal(held.report.heldOut?.length, 14);
    assert.ok(held.report.examples.every(({ unseen, composed }) => (unseen ?? composed).success !== undefined));

    const shots = await compose('me/judged-shots', { shots: 1, budget: 12 });
    assert.deepEqual(shots.prompt?.examples.length, 1);
    const behind = server.requests.flat().filter(({ prompt }) => request.examples.some((one) => one.prompt === prompt));
    assert.ok(
      behind.length > 0 && behind.every(({ answer }) => !answer.includes('\n\n')),
      'the prompt is the task’s own, and a blank line ends its answer',
    );
    assert.ok(shots.report.unprompted);

    await compose('me/judged-factors', { space: 'factor', budget: 12 });
    const estimated = await compose('me/judged-int8', { precision: 'int8' });
    assert.ok(estimated.report.stages.some(({ stage }) => stage === 'recheck'));
  });

  it('for chats: the messages before the answer, and its text without the template’s own', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'braid-reward-chat-'));
    writeTinyModel(directory, { seed: 5 });
    const template = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
    writeFileSync(join(directory, 'chat_template.jinja'), template);
    await hub.post('/api/base-models', { directory, name: 'tiny/chat' });
    await hub.publish('me/talk', 'tiny/chat', 21);
    const user = (content: string) => ({ role: 'user', content });
    const examples = ['a', 'b'].map((text) => ({ messages: [user(text), { role: 'assistant', content: text.repeat(2) }] }));
    await compose('me/judged-chat', { base: 'tiny/chat', examples, budget: 5 });
    const questions = server.requests.flat();
    assert.ok(questions.length > 0);
    for (const { messages, prompt, answer, expected } of questions) {
      assert.deepEqual([messages, prompt], [[user(expected.charAt(0))], undefined]);
      assert.ok(['aa', 'bb'].includes(expected) && !answer.includes('</s>'), answer);
    }
    rmSync(directory, { recursive: true });
  });

  it('is refused where the service may not be asked or is not what is asked for', async () => {
    await refused(
      { reward: 'http://169.254.169.254/latest?key=hunter2' },
      /REWARD_ORIGIN_REFUSED.*http:\/\/169\.254\.169\.254\. .*BRAID_REWARD_ORIGINS lists, 1/,
      403,
    );
    await refused({ reward: 'ftp://hunter2.example' }, /REWARD_URL_INVALID/);
    await refused({ reward: server.url.replace('http://', 'http://hunter2@') }, /REWARD_URL_INVALID/);
    await refused({ objective: 'reward' }, /REWARD_MISSING/);
    await refused({ objective: 'exact', reward: server.url }, /REWARD_UNUSED/);
    await refused({ reward: 7 }, /INVALID_REQUEST/);
    assert.deepEqual(server.requests, []);
  });

  it('ends with what is wrong with the service’s answer, without asking again', async () => {
    for (const [behaviour, code] of [
      [answering('{"rewards": [NaN]}'), 'REWARD_INVALID'],
      [answering('{"rewards": []}'), 'REWARD_INVALID'],
      [answering('', 302, { location: 'http://127.0.0.1/' }), 'REWARD_REFUSED'],
      [answering('', 401), 'REWARD_REFUSED'],
    ] as const) {
      server.requests.splice(0);
      server.behave(graded, behaviour);
      const { status, error } = await ended(await hub.start({ name: 'me/broken', ...asked }));
      assert.deepEqual([status, error?.code, error?.retryable], ['failed', code, false], error?.message);
      assert.ok(error?.message.includes(`${server.origin}/reward `) && !error.message.includes('hunter2'), error?.message);
      assert.equal(server.requests.length, 2);
    }
  });

  it('waits for a service that fails for a moment, and is tried again later where it fails for longer', async () => {
    server.behave(answering('', 500), graded);
    await compose('me/patient');
    server.requests.splice(0);
    server.behave(graded, answering('', 500));
    const id = await hub.start({ name: 'me/tried-again', ...asked });
    await untilTrue(async () => {
      const { status } = (await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`)).body;
      return status === 'queued' && server.requests.length === 5;
    });
    server.behave(graded);
    // The pause, without the wait.
    await hub.dataSource.query('UPDATE compose_jobs SET run_after = now() WHERE id = $1', [id]);
    assert.equal((await ended(id)).status, 'succeeded');
  });

  it('is cancelled at once while the service is asked', async () => {
    server.behave(hanging);
    const before = server.brokenOff();
    const id = await hub.start({ name: 'me/cancelled', ...asked });
    await untilTrue(() => server.requests.length === 1);
    assert.equal((await hub.post(`/api/compositions/jobs/${id}/cancel`, {})).status, 200);
    assert.equal((await ended(id)).status, 'cancelled');
    await untilTrue(() => server.brokenOff() === before + 1);
  });

  it('is composed again with the same service', async () => {
    await compose('me/again', { adapters: ['me/first', 'me/upper'] });
    await hub.publish('me/first', 'tiny/base', 12);
    server.requests.splice(0);
    server.heads.splice(0);
    server.behave(rewarding(rewardExact));
    const { status, body } = await hub.post<{ id: string }>('/api/compositions/me/again/recompose', {});
    assert.equal(status, 202, JSON.stringify(body));
    const { composition } = await ended(body.id);
    assert.equal(composition?.recipe.objective.name, 'reward');
    assert.ok(server.requests.length > 0);
    assert.ok(server.heads.every(({ url }) => url === '/reward?key=hunter2'));
  });
});

describeOnHomes('a hub that lists no services', (home) => {
  const hub = createComposeHub(home);

  it('asks none, and says which setting would let it', async () => {
    const { status, body } = await hub.post('/api/compositions/jobs', { ...request, reward: server.url });
    assert.equal(status, 403);
    assert.match(JSON.stringify(body), /REWARD_ORIGIN_REFUSED.*BRAID_REWARD_ORIGINS lists, 0 at present/);
  });
});
