// The last minute: rates over ten whole seconds, percentiles by the number of tokens, and what is older is forgotten.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecentMinute } from '#src/metrics/recent-minute.js';

function minuteAt(startMs = 5_000_300): { readonly minute: RecentMinute; readonly pass: (ms: number) => void } {
  let now = startMs;
  return { minute: new RecentMinute(() => now), pass: (ms) => void (now += ms) };
}

describe('the last minute', () => {
  it('has nothing of nothing', () => {
    assert.deepEqual(minuteAt().minute.summary(), {
      promptTokensPerSecond: 0,
      generationTokensPerSecond: 0,
      answers: 0,
      firstTokenMs: null,
      betweenTokensMs: null,
    });
  });

  it('counts tokens over the last ten whole seconds', () => {
    const { minute, pass } = minuteAt();
    for (let second = 0; second < 12; second++) {
      minute.addTokens(30);
      minute.addPromptTokens(7);
      pass(1_000);
    }
    assert.equal(minute.summary().generationTokensPerSecond, 30);
    assert.equal(minute.summary().promptTokensPerSecond, 7);
    // The second that has just begun does not count yet.
    minute.addTokens(1_000);
    assert.equal(minute.summary().generationTokensPerSecond, 30);
    pass(5_000);
    assert.equal(minute.summary().generationTokensPerSecond, (1_000 + 5 * 30) / 10);
  });

  it('gives percentiles, of gaps by their tokens', () => {
    const { minute, pass } = minuteAt();
    for (let i = 1; i <= 100; i++) {
      minute.addFirstToken(101 - i);
      if (i % 20 === 0) pass(1_000);
    }
    assert.deepEqual(minute.summary().firstTokenMs, { p50: 50, p99: 99 });
    minute.addGap(200, 1);
    minute.addGap(10, 98);
    minute.addGap(100, 1);
    assert.deepEqual(minute.summary().betweenTokensMs, { p50: 10, p99: 100 });
  });

  it('forgets what is older than a minute, and keeps no more than it needs', () => {
    const { minute, pass } = minuteAt();
    minute.addAnswer();
    minute.addFirstToken(900);
    pass(59_000);
    minute.addAnswer();
    assert.deepEqual([minute.summary().answers, minute.summary().firstTokenMs?.p99], [2, 900]);
    pass(1_000);
    assert.deepEqual([minute.summary().answers, minute.summary().firstTokenMs], [1, null]);
    for (let i = 0; i < 5_000; i++) minute.addGap(i < 1_000 ? 1 : 9, 1);
    assert.deepEqual(minute.summary().betweenTokensMs, { p50: 1, p99: 1 });
  });
});
