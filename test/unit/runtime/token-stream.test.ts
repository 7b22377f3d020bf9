// A token stream between its writer and its reader, whichever ends it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenStream } from '#src/runtime/token-stream.js';

const token = (id: number) => ({ id, logprob: -1 });

function createStream(): { stream: TokenStream; calls: string[] } {
  const calls: string[] = [];
  const stream = new TokenStream(
    () => calls.push('start'),
    () => {
      calls.push('leave');
      // As an engine does when the reader leaves.
      stream.fail(new Error('cancelled'));
    },
  );
  return { stream, calls };
}

test('nothing starts before the first read, and tokens come in order', async () => {
  const { stream, calls } = createStream();
  assert.deepEqual(calls, []);
  const [first, second] = [stream.next(), stream.next()];
  assert.deepEqual(calls, ['start']);
  stream.push([token(1), token(2), token(3)]);
  stream.end();
  assert.deepEqual([(await first).value, (await second).value], [token(1), token(2)]);
  assert.deepEqual(await stream.next(), { done: false, value: token(3) });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  assert.deepEqual(calls, ['start']);
});

test('an error comes after the tokens before it, once', async () => {
  const { stream } = createStream();
  stream.push([token(1)]);
  stream.fail(new Error('lost'));
  stream.push([token(2)]);
  assert.deepEqual(await stream.next(), { done: false, value: token(1) });
  await assert.rejects(stream.next(), /lost/);
  assert.equal((await stream.next()).done, true);
});

test('a reader that returns ends its own waiting reads, drops what it has not read, and tells the writer once', async () => {
  const { stream, calls } = createStream();
  const waiting = stream.next();
  await stream.return();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  stream.push([token(1)]);
  await stream.return();
  assert.equal((await stream.next()).done, true);
  assert.deepEqual(calls, ['start', 'leave']);
});

test('returning after the end tells the writer nothing', async () => {
  const { stream, calls } = createStream();
  stream.push([token(1)]);
  stream.end();
  for await (const { id } of stream) assert.equal(id, 1);
  await stream.return();
  assert.ok(!calls.includes('leave'));
});

test('a stream that failed before it was read never starts', async () => {
  const { stream, calls } = createStream();
  stream.fail(new Error('refused'));
  await assert.rejects(stream.next(), /refused/);
  assert.deepEqual(calls, []);
});
