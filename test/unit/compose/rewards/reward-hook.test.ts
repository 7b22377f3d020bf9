// The client of a reward service against a real server: every way in which one behaves well or badly has one outcome.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createRewardHook, type RewardQuestion } from '#src/compose/rewards/reward-hook.js';
import { MOST_ANSWER_BYTES } from '#src/compose/rewards/read-rewards.js';
import { parseRewardUrl, showRewardUrl } from '#src/compose/rewards/reward-url.js';
import { BraidError } from '#src/http/braid-error.js';
import { answering, hanging, openRewardServer, rewarding, type RewardServer } from '#test/fixtures/compose/reward-server.js';

const questions: RewardQuestion[] = [
  { prompt: 'a', answer: ' yes', expected: ' yes' },
  { messages: [{ role: 'user', content: 'b' }], answer: 'no', expected: 'yes' },
];
const GOOD = '{"rewards": [1, 0.25]}';

describe('a reward service', () => {
  let server: RewardServer;
  before(async () => {
    server = await openRewardServer();
  });
  after(() => server.close());
  beforeEach(() => {
    server.requests.splice(0);
    server.heads.splice(0);
  });

  const ask = (signal = new AbortController().signal, timeoutMs = 2_000, url = server.url): Promise<readonly number[]> =>
    createRewardHook(new URL(url), { timeoutMs, waitsMs: [5, 5, 5], longestWaitMs: 50 })(questions, signal);

  /** The refusal, which shows the service and never its query. */
  async function refused(code: string, message: RegExp): Promise<BraidError> {
    const error: unknown = await ask().then(
      () => assert.fail('the rewards were taken'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof BraidError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(error.message.includes(`${server.origin}/reward `), error.message);
    assert.ok(!JSON.stringify([error.message, error.fields, String(error.cause)]).includes('hunter2'));
    return error;
  }

  it('is asked with one POST and answers with numbers, the bounds among them', async () => {
    server.behave(answering('{"rewards": [1, 0], "note": "more is left aside"}'));
    assert.deepEqual(await ask(), [1, 0]);
    assert.deepEqual(server.requests, [questions]);
    const [{ method, url, headers } = { method: '', url: '', headers: {} }] = server.heads;
    assert.deepEqual([method, url, headers['content-type']], ['POST', '/reward?key=hunter2', 'application/json']);
    assert.deepEqual([headers.cookie, headers.authorization], [undefined, undefined]);
  });

  for (const [what, body, found] of [
    ['NaN, which is no JSON', '{"rewards": [NaN, 1]}', /gave text that is not JSON/],
    ['null', '{"rewards": [1, null]}', /gave rewards\[1\] is null/],
    ['strings', '{"rewards": ["1", 1]}', /gave rewards\[0\] is a string/],
    ['a list in the list', '{"rewards": [[1], 1]}', /gave rewards\[0\] is a list/],
    ['more than 1', '{"rewards": [1, 1.01]}', /gave rewards\[1\] is 1.01/],
    ['less than 0', '{"rewards": [-0.5, 1]}', /gave rewards\[0\] is -0.5/],
    ['a number beyond all numbers', '{"rewards": [1e999, 1]}', /gave rewards\[0\] is Infinity/],
    ['too few', '{"rewards": [1]}', /gave 1 rewards;.*2 numbers from 0 to 1/],
    ['too many', '{"rewards": [1, 1, 1]}', /gave 3 rewards;/],
    ['a bare list', '[1, 1]', /gave JSON without a list "rewards"/],
    ['null alone', 'null', /gave JSON without a list "rewards"/],
    ['HTML', '<html>it works</html>', /gave text that is not JSON/],
    ['nothing', '', /gave nothing/],
    ['too much', `{"rewards": [1, 1]${' '.repeat(MOST_ANSWER_BYTES)}}`, /gave more than 262144 bytes/],
  ] as const) {
    it(`that answers ${what} is refused at once, and what it said is named`, async () => {
      server.behave(answering(body));
      assert.equal((await refused('REWARD_INVALID', found)).retryable, false);
      assert.equal(server.requests.length, 1);
    });
  }

  it('that answers little which unpacks to much is refused', async () => {
    const packed = gzipSync(' '.repeat(50 * MOST_ANSWER_BYTES));
    server.behave((response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed));
    await refused('REWARD_INVALID', /gave more than 262144 bytes/);
  });

  it('that redirects is not followed', async () => {
    const elsewhere = await openRewardServer(answering(GOOD));
    for (const status of [301, 302, 303, 307, 308]) {
      server.behave(answering('', status, { location: elsewhere.url }));
      await refused('REWARD_REFUSED', new RegExp(`a redirect \\(status ${status}\\), which is not followed`));
    }
    assert.deepEqual(elsewhere.requests, []);
    await elsewhere.close();
  });

  it('that does not want the question is not asked again', async () => {
    server.behave(answering('{"error": "no"}', 404));
    assert.equal((await refused('REWARD_REFUSED', /answered with status 404; it must answer/)).retryable, false);
    assert.equal(server.requests.length, 1);
  });

  it('that fails and then answers is asked until it does', async () => {
    server.behave(answering('', 500), answering('', 503), answering('', 429, { 'retry-after': 'soon' }), answering(GOOD));
    assert.deepEqual(await ask(), [1, 0.25]);
    assert.equal(server.requests.length, 4);
  });

  it('that fails for ever is left after four attempts, for the job to be tried again later', async () => {
    server.behave(answering('', 500));
    const { retryable } = await refused('REWARD_UNAVAILABLE', /was asked 4 times.*the last time it answered with status 500/);
    assert.deepEqual([server.requests.length, retryable], [4, true]);
  });

  it('that asks for patience gets some: seconds or a date, but no more than the longest wait', async () => {
    for (const wait of ['1', '86400', new Date(Date.now() + 3_600_000).toUTCString()]) {
      server.behave(answering('', 429, { 'retry-after': wait }), answering(GOOD));
      const startedAt = performance.now();
      assert.deepEqual(await ask(), [1, 0.25]);
      assert.ok(performance.now() - startedAt >= 45, wait);
    }
  });

  it('that hangs is left when its time is over, also in the middle of its answer', async () => {
    server.behave(hanging, (response) => response.writeHead(200).write('{"rewards": ['), answering(GOOD));
    assert.deepEqual(await ask(undefined, 100), [1, 0.25]);
    server.behave(hanging);
    await assert.rejects(ask(undefined, 20), { code: 'REWARD_UNAVAILABLE', message: /the last time it took longer than 0.02 s/ });
  });

  it('that breaks off is asked again', async () => {
    server.behave((response) => response.destroy(), answering(GOOD));
    assert.deepEqual(await ask(), [1, 0.25]);
  });

  it('that is not there is said so', async () => {
    const gone = await openRewardServer();
    await gone.close();
    const asked = ask(undefined, 2_000, gone.url);
    await assert.rejects(asked, { code: 'REWARD_UNAVAILABLE', message: /the connection failed \(ECONNREFUSED\)/ });
  });

  it('is left at once when the job ends, while it is asked and while it is waited for', async () => {
    for (const behaviour of [hanging, answering('', 429, { 'retry-after': '60' })]) {
      const job = new AbortController();
      server.behave((response, asked) => {
        behaviour(response, asked);
        setTimeout(() => job.abort(new Error('cancelled')), 10);
      });
      const slow = createRewardHook(new URL(server.url), { timeoutMs: 60_000 })(questions, job.signal);
      await assert.rejects(slow, { message: 'cancelled' });
    }
    assert.equal(server.requests.length, 2);
    server.behave(rewarding(() => 1));
    await assert.rejects(ask(AbortSignal.abort(new Error('before'))), { message: 'before' });
    assert.equal(server.requests.length, 2, 'nothing is asked for a job that has ended');
  });
});

describe('the URL of a reward service', () => {
  const origins = ['http://127.0.0.1:9100', 'https://judge.example.org'];

  it('has an origin that is listed exactly', () => {
    for (const text of ['http://127.0.0.1:9100/a/b?c=d', 'https://judge.example.org', 'HTTPS://Judge.Example.org:443/x'])
      assert.ok(parseRewardUrl(text, origins));
    for (const text of [
      'http://127.0.0.1:9101',
      'https://127.0.0.1:9100',
      'http://localhost:9100',
      'http://judge.example.org',
      'https://judge.example.org.evil.example',
      'http://[::ffff:127.0.0.1]:9100',
    ]) {
      assert.throws(() => parseRewardUrl(text, origins), { code: 'REWARD_ORIGIN_REFUSED', message: /BRAID_REWARD_ORIGINS lists, 2 at/ });
    }
    assert.throws(() => parseRewardUrl('http://127.0.0.1:9100', []), { code: 'REWARD_ORIGIN_REFUSED', message: /lists, 0 at present/ });
  });

  it('is http or https, and has no user and no password, none of which is repeated', () => {
    for (const [text, message] of [
      ['nowhere-hunter2', /is no URL; it must be/],
      ['file:///etc/hunter2', /is a URL of file:;/],
      ['http://hunter2@127.0.0.1:9100', /is a URL with a user or a password/],
      ['http://:hunter2@127.0.0.1:9100', /is a URL with a user or a password/],
    ] as const) {
      assert.throws(
        () => parseRewardUrl(text, origins),
        (error) =>
          error instanceof BraidError &&
          error.code === 'REWARD_URL_INVALID' &&
          message.test(error.message) &&
          !error.message.includes('hunter2'),
      );
    }
  });

  it('is shown without its query', () => assert.equal(showRewardUrl('http://a.example/b?key=c#d'), 'http://a.example/b'));
});
