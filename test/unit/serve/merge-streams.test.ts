// Streams side by side: order of arrival, a bound, errors and early ends.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergeStreams } from '#src/serve/merge-streams.js';

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A stream that gives each item when its turn is called. */
function createManualStream() {
  const queue: ((result: IteratorResult<string>) => void)[] = [];
  const waiting: IteratorResult<string>[] = [];
  let isReturned = false;
  const give = (result: IteratorResult<string>) => {
    const reader = queue.shift();
    if (reader === undefined) waiting.push(result);
    else reader(result);
  };
  const iterator: AsyncIterableIterator<string> = {
    next: () =>
      new Promise((resolve) => {
        const ready = waiting.shift();
        if (ready === undefined) queue.push(resolve);
        else resolve(ready);
      }),
    return: () => {
      isReturned = true;
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return {
    iterator,
    push: (value: string) => give({ done: false, value }),
    end: () => give({ done: true, value: undefined }),
    isReturned: () => isReturned,
  };
}

async function* counted(name: string, items: number, onOpen: () => void, onClose: () => void): AsyncGenerator<string> {
  onOpen();
  try {
    for (let i = 0; i < items; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      yield `${name}${i}`;
    }
  } finally {
    onClose();
  }
}

describe('merged streams', () => {
  test('items come in order of arrival, not of streams', async () => {
    const [a, b] = [createManualStream(), createManualStream()];
    const merged = mergeStreams([() => a.iterator, () => b.iterator], 2);
    b.push('b0');
    assert.deepEqual(await merged.next(), { done: false, value: 'b0' });
    a.push('a0');
    assert.deepEqual(await merged.next(), { done: false, value: 'a0' });
    a.end();
    b.push('b1');
    b.end();
    assert.deepEqual(await collect(merged), ['b1']);
  });

  test('never more than the limit are open, and all are read to their end', async () => {
    let open = 0;
    let most = 0;
    const streams = Array.from(
      { length: 10 },
      (_, s) => () =>
        counted(
          `${s}:`,
          s,
          () => (most = Math.max(most, ++open)),
          () => open--,
        ),
    );
    const items = await collect(mergeStreams(streams, 3));
    assert.equal(items.length, 45);
    assert.equal(most, 3);
    assert.equal(open, 0);
    assert.deepEqual(await collect(mergeStreams([], 3)), []);
  });

  test('an error ends the whole and tells the open streams to return', async () => {
    const other = createManualStream();
    const failing: AsyncIterableIterator<string> = {
      next: () => Promise.reject(new Error('broken')),
      [Symbol.asyncIterator]: () => failing,
    };
    await assert.rejects(collect(mergeStreams([() => other.iterator, () => failing], 2)), /broken/);
    assert.equal(other.isReturned(), true);
  });

  test('a reader that stops early closes the open streams, and what waits is never opened', async () => {
    const first = createManualStream();
    first.push('x');
    let opened = false;
    const merged = mergeStreams(
      [
        () => first.iterator,
        () => {
          opened = true;
          return createManualStream().iterator;
        },
      ],
      1,
    );
    for await (const item of merged) {
      assert.equal(item, 'x');
      break;
    }
    assert.equal(first.isReturned(), true);
    assert.equal(opened, false);
  });
});
