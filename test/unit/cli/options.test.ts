// Option texts: what is taken, and that the rest is wrong usage with a reason.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { CliError } from '#src/cli/cli-error.js';
import { adapterList, collect, mixture, realNumber, repoName, version, versionedName, wholeNumber } from '#src/cli/options.js';
import { readExamples } from '#src/cli/read-examples.js';

function refused(parse: () => unknown, reason: RegExp): void {
  assert.throws(parse, (error: unknown) => error instanceof InvalidArgumentError && reason.test(error.message));
}

describe('options', () => {
  it('takes whole numbers in their range only', () => {
    assert.equal(wholeNumber(1, 100)('100'), 100);
    assert.equal(wholeNumber(-5, 5)('-5'), -5);
    for (const text of ['0', '101', '1.5', '1e2', '', ' 7', '٣', '99999999999999999999', 'NaN', '0x10']) {
      refused(() => wholeNumber(1, 100)(text), /whole number from 1 to 100/);
    }
  });

  it('takes finite numbers in their range only', () => {
    assert.equal(realNumber(0, 1)('0.25'), 0.25);
    assert.equal(realNumber(-2, 2)('-1e-1'), -0.1);
    for (const text of ['', ' ', 'x', 'Infinity', 'NaN', '1.01']) refused(() => realNumber(0, 1)(text), /number from 0 to 1/);
  });

  it('checks names and versions before the hub is asked', () => {
    assert.equal(repoName('acme/reverse'), 'acme/reverse');
    assert.equal(version('1.2.0-rc.1'), '1.2.0-rc.1');
    assert.deepEqual(versionedName('a/b@2.0.0'), { name: 'a/b', version: '2.0.0' });
    refused(() => repoName('reverse'), /write namespace\/name/);
    refused(() => repoName('a/b@1.0.0'), /is not a name/);
    refused(() => version('1.2'), /MAJOR\.MINOR\.PATCH/);
    refused(() => versionedName('a/b@latest'), /is not a version/);
  });

  it('gathers repeated options', () => {
    assert.deepEqual(collect('b', collect('a', undefined)), ['a', 'b']);
    assert.deepEqual(adapterList(' c/d ', adapterList('a/b@1.0.0,b/c,', undefined)), ['a/b@1.0.0', 'b/c', 'c/d']);
    refused(() => adapterList(' , ', undefined), /at least one/);
    refused(() => adapterList('a/b,c', undefined), /"c" is not a name/);
  });

  it('reads mixtures', () => {
    assert.deepEqual(mixture('a/b@1.0.0=0.5,c/d=-1', undefined), [
      { adapter: 'a/b@1.0.0', weight: 0.5 },
      { adapter: 'c/d', weight: -1 },
    ]);
    refused(() => mixture('a/b', undefined), /ns\/name=WEIGHT/);
    refused(() => mixture('a/b=', undefined), /must be a number/);
    refused(() => mixture('a=1', undefined), /"a" is not a name/);
  });
});

describe('example files', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'braid-cli-'));
  });
  after(() => rm(directory, { recursive: true }));

  async function file(name: string, content: string | Buffer): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  }

  it('reads a JSON object a line, past a byte order mark, blank lines and Windows line ends', async () => {
    const path = await file('good.jsonl', '\ufeff{"prompt":"a","completion":" b"}\r\n\r\n{"messages":[]}\n\n');
    assert.deepEqual(await readExamples(path), [{ prompt: 'a', completion: ' b' }, { messages: [] }]);
  });

  const cases: readonly [name: string, content: string, code: string, message: RegExp][] = [
    ['empty.jsonl', '\n \n', 'EXAMPLES_MISSING', /holds no example/],
    ['broken.jsonl', '{"prompt":"a","completion":"b"}\n\n{"prompt":\n', 'EXAMPLE_NOT_JSON', /broken\.jsonl, line 3 is not JSON/],
  ];
  for (const [name, content, code, message] of cases) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(readExamples(await file(name, content)), (error: unknown) => {
        assert.ok(error instanceof CliError);
        assert.deepEqual([error.code, error.exitCode], [code, 1]);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('refuses what is far larger than a few examples before reading it', async () => {
    const path = await file('huge.jsonl', Buffer.alloc(16 * 1024 * 1024 + 1, 0x20));
    await assert.rejects(readExamples(path), /larger than 16 MiB/);
  });

  it('says why a file cannot be read', async () => {
    await assert.rejects(readExamples(join(directory, 'none.jsonl')), /none\.jsonl cannot be read: there is no such file/);
    await assert.rejects(readExamples(directory), /cannot be read: it is a folder/);
  });
});
