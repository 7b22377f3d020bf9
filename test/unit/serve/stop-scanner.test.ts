// Stop strings are found over piece borders, and only what may become one is held back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StopScanner } from '#src/serve/stop-scanner.js';

/** The definition: the stop that ends first wins, of those that end together the longest. */
function expected(text: string, stops: readonly string[]): { text: string; matched?: string } {
  for (let end = 1; end <= text.length; end++) {
    const [longest] = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length);
    if (longest !== undefined) return { text: text.slice(0, end - longest.length), matched: longest };
  }
  return { text };
}

describe('stop scanner', () => {
  test('without stops everything is final at once', () => {
    const scanner = new StopScanner([]);
    assert.deepEqual(scanner.push('abc'), { text: 'abc' });
    assert.equal(scanner.end(), '');
  });

  test('holds back a possible beginning, and gives it out when it was none', () => {
    const scanner = new StopScanner(['\n\nQ:']);
    assert.deepEqual(scanner.push('A'), { text: 'A' });
    assert.deepEqual(scanner.push('\n'), { text: '' });
    assert.deepEqual(scanner.push('\n'), { text: '' });
    assert.deepEqual(scanner.push('\n'), { text: '\n' });
    assert.deepEqual(scanner.push('Q'), { text: '' });
    assert.deepEqual(scanner.push('!'), { text: '\n\nQ!' });
  });

  test('finds a stop over three pieces and drops what follows it', () => {
    const scanner = new StopScanner(['END']);
    assert.deepEqual(scanner.push('the E'), { text: 'the ' });
    assert.deepEqual(scanner.push('N'), { text: '' });
    assert.deepEqual(scanner.push('D and more'), { text: '', matched: 'END' });
  });

  test('what was held back at the end is text', () => {
    const scanner = new StopScanner(['###']);
    assert.deepEqual(scanner.push('a##'), { text: 'a' });
    assert.equal(scanner.end(), '##');
    assert.equal(scanner.end(), '');
  });

  test('of several stops the one that ends first wins, of two that end together the longer', () => {
    assert.deepEqual(new StopScanner(['abc', 'b']).push('xabc'), { text: 'xa', matched: 'b' });
    assert.deepEqual(new StopScanner(['c', 'abc']).push('xabc'), { text: 'x', matched: 'abc' });
  });

  test('every cut of every text over a small alphabet agrees with the definition', () => {
    const stopSets = [['aab'], ['aba', 'bb'], ['abab', 'b'], ['a'], ['aaa', 'bab']];
    for (const stops of stopSets) {
      for (let code = 0; code < 2 ** 7; code++) {
        const text = Array.from({ length: 7 }, (_, i) => ((code >> i) & 1 ? 'b' : 'a')).join('');
        for (let cut = 0; cut <= 7; cut++) {
          const scanner = new StopScanner(stops);
          const first = scanner.push(text.slice(0, cut));
          const second = first.matched === undefined ? scanner.push(text.slice(cut)) : { text: '' };
          const matched = first.matched ?? ('matched' in second ? second.matched : undefined);
          const rest = matched === undefined ? scanner.end() : '';
          const found = { text: first.text + second.text + rest, ...(matched === undefined ? {} : { matched }) };
          assert.deepEqual(found, expected(text, stops), `${text} cut at ${cut}, stops ${stops.join(' ')}`);
        }
      }
    }
  });

  test('a text that almost stops over and over takes linear time', () => {
    const scanner = new StopScanner([`${'a'.repeat(1000)}b`]);
    const start = performance.now();
    let length = 0;
    for (let i = 0; i < 100_000; i++) length += scanner.push('a').text.length;
    assert.equal(length, 99_000);
    // A second look at what is held back would be 10⁸ comparisons of characters.
    assert.ok(performance.now() - start < 2_000);
  });
});
