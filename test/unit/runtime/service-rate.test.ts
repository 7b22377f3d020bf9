// When a refused request should come again: from the rate of what was answered lately, within bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceRate } from '#src/runtime/service-rate.js';

test('without an answer lately nothing is known, and what is known is forgotten after half a minute', () => {
  let nowMs = 0;
  const rate = new ServiceRate(() => nowMs);
  assert.equal(rate.secondsUntil(1, 0), 5);
  for (; nowMs < 4_000; nowMs += 1_000) rate.add(50);
  assert.equal(rate.secondsUntil(1, 0), 1);
  nowMs += 31_000;
  assert.equal(rate.secondsUntil(1, 0), 5);
});

test('requests and tokens each have their rate, and the slower one counts, from one second to thirty', () => {
  let nowMs = 0;
  const rate = new ServiceRate(() => nowMs);
  for (let answer = 0; answer < 4; answer++) {
    rate.add(100);
    nowMs += 5_000;
  }
  // Four answers with 400 tokens in 20 seconds.
  assert.equal(rate.secondsUntil(1, 0), 5);
  assert.equal(rate.secondsUntil(3, 0), 15);
  assert.equal(rate.secondsUntil(1, 180), 9);
  assert.equal(rate.secondsUntil(100, 1e6), 30);
  assert.equal(rate.secondsUntil(0, 1), 1);
});

test('a single answer a moment ago is not taken for a flood', () => {
  const rate = new ServiceRate(() => 0);
  rate.add(10);
  assert.equal(rate.secondsUntil(8, 0), 8);
});
