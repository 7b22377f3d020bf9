// Log lines in a terminal: readable, complete, and unable to steer it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatTerminalLine } from '#src/logging/terminal-lines.js';

describe('formatTerminalLine', () => {
  const line = (fields: object): string =>
    formatTerminalLine(JSON.stringify({ time: '2026-01-02T03:04:05.678Z', level: 'info', ...fields }));
  it('shows time, level, room, message and fields', () => {
    assert.equal(
      line({ room: 'http', msg: 'request', status: 200, path: '/a', note: 'two words', list: [1] }),
      '03:04:05 info  [http] request status=200 path=/a note="two words" list=[1]\n',
    );
  });
  it('shows a stack below', () => {
    assert.equal(
      line({ msg: 'failed', err: { message: 'x', stack: 'Error: x\n    at y' } }),
      '03:04:05 info  failed\nError: x\n    at y\n',
    );
    assert.equal(line({ msg: 'failed', stack: 'Error: z' }), '03:04:05 info  failed\nError: z\n');
  });
  it('colours what is not ordinary, and ends the colour', () => {
    assert.equal(line({ level: 'warn', msg: 'm' }), '\x1b[33m03:04:05 warn  m\x1b[0m\n');
  });
  it('lets no control character through', () => {
    const text = line({ msg: 'a\x1b[2Jb\r\x07', path: '/\x9b31m' });
    // eslint-disable-next-line no-control-regex -- looking for control characters
    assert.doesNotMatch(text.slice(0, -1), /[\x00-\x1f\x7f-\x9f]/);
  });
});
