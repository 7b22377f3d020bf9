// What a model directory says about text, in every spelling in use; the broken ones are refused by file name.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { readTokenizerFiles } from '#src/tokenizer/tokenizer-files.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

describe('tokenizer files', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'braid-tokenizer-'));
    await write('tokenizer.json', byteLevelTokenizerFiles().tokenizer);
  });
  afterEach(() => rm(directory, { recursive: true }));

  function write(file: string, content: unknown): Promise<void> {
    return writeFile(join(directory, file), typeof content === 'string' ? content : JSON.stringify(content));
  }

  test('tokens as objects, end tokens from all three files', async () => {
    await write('tokenizer_config.json', { bos_token: { content: '<s>', lstrip: false }, eos_token: '</s>', unk_token: null });
    await write('generation_config.json', { eos_token_id: [2, 1] });
    await write('config.json', { eos_token_id: 4 });
    const codec = await loadTextCodec(directory);
    assert.equal(codec.bosToken, '<s>');
    assert.equal(codec.eosTokenId, 1);
    assert.deepEqual(codec.eosTokenIds, [1, 2, 4]);
  });

  test('special_tokens_map.json fills what tokenizer_config.json leaves out', async () => {
    await write('special_tokens_map.json', { eos_token: { content: '</s>' }, bos_token: 'ignored' });
    await write('tokenizer_config.json', { bos_token: '<s>' });
    assert.deepEqual((await readTokenizerFiles(directory)).specialTokens, { bos_token: '<s>', eos_token: '</s>' });
  });

  test('the chat template as a text, as a list, as a file of its own (which wins)', async () => {
    await write('tokenizer_config.json', { chat_template: 'text' });
    assert.equal((await readTokenizerFiles(directory)).chatTemplate, 'text');
    await write('tokenizer_config.json', {
      chat_template: [
        { name: 'tool_use', template: 'tools' },
        { name: 'default', template: 'plain' },
      ],
    });
    assert.equal((await readTokenizerFiles(directory)).chatTemplate, 'plain');
    await write('chat_template.jinja', 'file');
    assert.equal((await readTokenizerFiles(directory)).chatTemplate, 'file');
  });

  test('a sequence of one byte-level decoder is a byte-level decoder', async () => {
    const { tokenizer } = byteLevelTokenizerFiles();
    await write('tokenizer.json', { ...tokenizer, decoder: { type: 'Sequence', decoders: [tokenizer['decoder']] } });
    const codec = await loadTextCodec(directory);
    assert.equal(codec.decode(codec.encode('é 😀<tool>')), 'é 😀<tool>');
  });

  test('missing and broken files are named', async () => {
    const failure = (code: string, file: string) => (error: unknown) =>
      error instanceof BraidError && error.code === code && error.fields['file'] === file;
    await assert.rejects(loadTextCodec(join(directory, 'absent')), failure('TOKENIZER_MISSING', 'tokenizer.json'));
    await write('tokenizer_config.json', '{"a":');
    await assert.rejects(loadTextCodec(directory), failure('TOKENIZER_INVALID', 'tokenizer_config.json'));
    await write('tokenizer_config.json', '[]');
    await assert.rejects(loadTextCodec(directory), failure('TOKENIZER_INVALID', 'tokenizer_config.json'));
    await write('tokenizer_config.json', '{}');
    await write('tokenizer.json', { added_tokens: [] });
    await assert.rejects(loadTextCodec(directory), failure('TOKENIZER_INVALID', 'tokenizer.json'));
    await write('tokenizer.json', 'null');
    await assert.rejects(loadTextCodec(directory), failure('TOKENIZER_INVALID', 'tokenizer.json'));
  });

  test('the service reads a directory once, and again after a failure', async () => {
    const service = new TokenizerService();
    const source = { name: 'tiny/base', digest: 'sha256:0', directory };
    await write('tokenizer_config.json', '{"a":');
    await assert.rejects(service.get(source));
    await write('tokenizer_config.json', '{}');
    const codec = await service.get(source);
    assert.equal(await service.get(source), codec);
  });

  test('files of a registered model that have gone or gone bad are not the fault of who asks', async () => {
    const service = new TokenizerService();
    const refused = (directory: string, says: RegExp) =>
      assert.rejects(service.get({ name: 'tiny/base', digest: 'sha256:0', directory }), (error: unknown) => {
        assert.ok(error instanceof BraidError, String(error));
        assert.deepEqual([error.code, error.status, error.fields], ['TOKENIZER_GONE', 503, { name: 'tiny/base' }]);
        assert.match(error.message, says);
        return true;
      });
    await refused(join(directory, 'absent'), /tiny\/base .*: tokenizer\.json: it does not exist\. Put the files back/);
    await write('tokenizer.json', 'null');
    await refused(directory, /: tokenizer\.json: it is not a JSON object\. Put/);
  });
});
