// An answer on its way: what is told of it when, and how it ends whoever ends it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { ObservedGeneration } from '#src/metrics/observed-generation.js';
import type { RowSink } from '#src/metrics/observed-row.js';

function observed() {
  const told: string[] = [];
  let now = 100;
  const sink: RowSink = {
    read: ({ start }) => void told.push(`read ${start.promptTokens}`),
    began: ({ firstTokenAtMs }) => void told.push(`began at ${firstTokenAtMs}`),
    continued: (_, gapMs, tokens) => void told.push(`${tokens} tokens ${gapMs} ms apart`),
    wrote: (_, tokens) => void told.push(`wrote ${tokens}`),
    ended: ({ endedAtMs }, end) => void told.push(`${end} at ${endedAtMs}`),
  };
  const generation = new ObservedGeneration({ requestId: 'r', model: 'a/b', arrivedAtMs: 40 }, [sink], () => now);
  return { generation, told, pass: (ms: number) => void (now += ms) };
}

describe('an observed generation', () => {
  it('tells of tokens when they come, and of the end when the last one came', () => {
    const { generation, told, pass } = observed();
    const row = generation.openRow(7, 8);
    row.started();
    pass(10);
    row.delivered(2);
    pass(9);
    row.delivered(3);
    // The reader is slow.
    pass(1_000);
    row.wrote(1);
    row.wrote(4);
    row.close('stop');
    row.close('abort');
    assert.deepEqual(told, ['read 7', 'began at 110', '3 tokens 3 ms apart', 'wrote 1', 'wrote 4', 'stop at 119']);
    assert.equal(generation.firstTokenMs, 70);
    assert.deepEqual([generation.completionTokens, generation.ends], [5, ['stop']]);
  });

  it('ends what still runs as left or failed', () => {
    const left = observed();
    left.generation.openRow(1, 1).delivered(1);
    assert.deepEqual(left.generation.ends, ['abort']);
    left.pass(5);
    left.generation.fail(new Error('the reader broke off'));
    left.generation.close(true);
    assert.equal(left.told.at(-1), 'abort at 105');
    const failed = observed();
    const error = new BraidError('WORKER_CRASHED', { status: 503, message: '' });
    failed.generation.openRow(1, 1);
    assert.throws(() =>
      failed.generation.guard(() => {
        throw error;
      }),
    );
    failed.generation.fail(new Error('later'));
    failed.generation.close(false);
    assert.deepEqual([failed.generation.errorCode, failed.generation.ends], ['WORKER_CRASHED', ['error']]);
  });
});
