// GGUF headers of strangers: what is sound is read, what lies is refused before anything is allocated by its word.
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { parseGgufHeader } from '#src/gguf/read-header.js';
import { encodeGgufHeader } from '#src/gguf/write-header.js';

const SOUND = Buffer.concat([
  encodeGgufHeader(
    {
      'general.type': { type: 'string', value: 'adapter' },
      'general.file_type': { type: 'uint32', value: 0 },
      'adapter.lora.alpha': { type: 'float32', value: 1.5 },
    },
    [
      { name: 'blk.0.attn_q.weight.lora_a', shape: [2, 5] },
      { name: 'blk.0.attn_q.weight.lora_b', shape: [3, 2] },
    ],
  ),
  Buffer.alloc(64 + 24),
]);

test('a sound header: texts, numbers, shapes as numpy has them, places that are aligned', () => {
  const { metadata, tensors } = parseGgufHeader(SOUND, SOUND.byteLength, 'x.gguf');
  assert.deepEqual(
    [...metadata],
    [
      ['general.type', 'adapter'],
      ['adapter.lora.alpha', 1.5],
    ],
  );
  const data = SOUND.byteLength - 88;
  assert.equal(data % 32, 0);
  assert.deepEqual(
    [...tensors],
    [
      ['blk.0.attn_q.weight.lora_a', { type: 'F32', shape: [2, 5], offset: data, length: 40 }],
      ['blk.0.attn_q.weight.lora_b', { type: 'F32', shape: [3, 2], offset: data + 64, length: 24 }],
    ],
  );
});

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.byteLength), bytes]);
}

/** Magic, version, counts, then what follows. */
function fileOf(tensors: number | bigint, entries: number | bigint, ...rest: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('GGUF'), uint32(3), uint64(tensors), uint64(entries), ...rest, Buffer.alloc(256)]);
}

function tensor({
  name = 'x',
  dims = [4n],
  type = 0,
  offset = 0n,
}: {
  name?: string;
  dims?: readonly bigint[];
  type?: number;
  offset?: bigint;
}): Buffer {
  return Buffer.concat([text(name), uint32(dims.length), ...dims.map(uint64), uint32(type), uint64(offset)]);
}

const HUGE = 2n ** 63n;
const HOSTILE: Readonly<Record<string, readonly [file: Buffer, code: string]>> = {
  nothing: [Buffer.alloc(0), 'GGUF_INVALID'],
  'another magic': [Buffer.from('GGML'.padEnd(64)), 'GGUF_INVALID'],
  'version 2': [Buffer.concat([Buffer.from('GGUF'), uint32(2), Buffer.alloc(64)]), 'GGUF_INVALID'],
  'too many tensors': [fileOf(HUGE, 0), 'GGUF_LIMIT_EXCEEDED'],
  'too many entries': [fileOf(0, HUGE), 'GGUF_LIMIT_EXCEEDED'],
  'a key without end': [fileOf(0, 1, uint64(HUGE)), 'GGUF_LIMIT_EXCEEDED'],
  'a key behind the end': [fileOf(0, 1, uint64(60_000)), 'GGUF_INVALID'],
  'a key that is no text': [fileOf(0, 1, text(Buffer.from([0xff, 0xfe])), uint32(8), text('x')), 'GGUF_INVALID'],
  'a value of no type': [fileOf(0, 1, text('k'), uint32(13)), 'GGUF_INVALID'],
  'a list without end': [fileOf(0, 1, text('k'), uint32(9), uint32(12), uint64(HUGE)), 'GGUF_LIMIT_EXCEEDED'],
  'a list behind the end': [fileOf(0, 1, text('k'), uint32(9), uint32(12), uint64(1_000_000)), 'GGUF_INVALID'],
  'a list of lists': [fileOf(0, 1, text('k'), uint32(9), uint32(9), uint64(1)), 'GGUF_INVALID'],
  'an alignment of 3': [fileOf(0, 1, text('general.alignment'), uint32(4), uint32(3)), 'GGUF_INVALID'],
  'an alignment of 0': [fileOf(0, 1, text('general.alignment'), uint32(4), uint32(0)), 'GGUF_INVALID'],
  'a tensor of five dimensions': [fileOf(1, 0, tensor({ dims: [1n, 1n, 1n, 1n, 1n] })), 'GGUF_INVALID'],
  'a tensor of no dimension': [fileOf(1, 0, tensor({ dims: [] })), 'GGUF_INVALID'],
  'an empty tensor': [fileOf(1, 0, tensor({ dims: [0n] })), 'GGUF_INVALID'],
  'a tensor larger than the file': [fileOf(1, 0, tensor({ dims: [2n ** 40n] })), 'GGUF_INVALID'],
  'a shape that overflows': [fileOf(1, 0, tensor({ dims: [2n ** 63n, 2n ** 63n] })), 'GGUF_INVALID'],
  'a tensor behind the end': [fileOf(1, 0, tensor({ offset: 2n ** 62n })), 'GGUF_INVALID'],
  'a tensor off its place': [fileOf(1, 0, tensor({ offset: 4n })), 'GGUF_INVALID'],
  'a tensor twice': [fileOf(2, 0, tensor({}), tensor({})), 'GGUF_INVALID'],
  'tensors that share bytes': [fileOf(2, 0, tensor({ dims: [16n] }), tensor({ name: 'y', offset: 32n })), 'GGUF_INVALID'],
  'a quantized tensor': [fileOf(1, 0, tensor({ type: 8 })), 'GGUF_NOT_LORA'],
};

describe('refuses', () => {
  for (const [name, [file, code]] of Object.entries(HOSTILE)) {
    it(name, () => {
      assert.throws(
        () => parseGgufHeader(file, file.byteLength, 'x.gguf'),
        (error) => error instanceof BraidError && error.code === code && error.message.includes('x.gguf'),
      );
    });
  }

  it('a file that ends anywhere in its header', () => {
    for (let end = 0; end < SOUND.byteLength; end += 3) {
      assert.throws(
        () => parseGgufHeader(SOUND.subarray(0, end), end, 'x.gguf'),
        (error) => error instanceof BraidError && error.code === 'GGUF_INVALID',
        `${end} bytes`,
      );
    }
  });
});
