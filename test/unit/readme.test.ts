// README keeps its two commands and has no empty place that a measurement was meant for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

test('every npm script that README names is there', () => {
  const named = [...readme.matchAll(/npm (?:run )?([a-z:-]+)/g)].map((match) => match[1] ?? '').filter((name) => name !== 'registry');
  assert.ok(named.includes('demo') && named.includes('test'));
  assert.deepEqual(
    named.filter((name) => !(name in scripts)),
    [],
  );
});

test('no place is left empty', () => {
  assert.deepEqual(readme.match(/<!--.*?-->/g) ?? [], []);
});
