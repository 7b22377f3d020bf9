// The container files speak of settings that exist, and docker/.env.example names what compose.yaml asks for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { parse } from 'yaml';
import { settings } from '#src/config/settings.js';

const known = new Set<string>(Object.values(settings).map(({ variable }) => variable));

function read(file: string): string {
  return readFileSync(new URL(`../../../../docker/${file}`, import.meta.url), 'utf8');
}

function assertKnown(names: readonly string[]): void {
  assert.ok(names.length > 0);
  assert.deepEqual(
    names.filter((name) => !known.has(name)),
    [],
  );
}

it('the Dockerfile sets known variables', () => {
  assertKnown([...read('Dockerfile').matchAll(/\b((?:BRAID|S3|DATABASE)_[A-Z_]+)=/g)].map(([, name = '']) => name));
});

it('compose.yaml sets known variables, and its secrets come from outside', () => {
  const { services } = parse(read('compose.yaml')) as { services: Record<string, { environment: Record<string, string> }> };
  const environment = services['hub']?.environment ?? {};
  assertKnown(Object.keys(environment));
  for (const { variable, secret } of Object.values<{ variable: string; secret?: boolean }>(settings)) {
    const value = environment[variable];
    if (secret === true && value !== undefined) assert.match(value, /\$\{[A-Z_]+:\?/, variable);
  }
});

it('.env.example names every variable that compose.yaml reads', () => {
  const wanted = new Set([...read('compose.yaml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name = '']) => name));
  const named = new Set([...read('.env.example').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name = '']) => name));
  assert.deepEqual(
    [...wanted].filter((name) => !named.has(name)),
    [],
  );
  assert.doesNotMatch(read('.env.example'), /(?:PASSWORD|USER)=./);
});
