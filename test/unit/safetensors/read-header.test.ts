// The header reader against files that are right, files that lie, and files that are noise.
import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { ADAPTER_LIMITS, readSafetensorsFileHeader, readSafetensorsHeader, readTensorBytes } from '#src/safetensors/read-header.js';
import { encodeSafetensors, float32Tensor, frameSafetensors } from '#test/fixtures/safetensors-file.js';

const read = (bytes: Uint8Array, limits = ADAPTER_LIMITS) => readSafetensorsHeader(bytes, limits, 'a.safetensors');

function refused(bytes: Uint8Array, code: string, says: RegExp, limits = ADAPTER_LIMITS): void {
  assert.throws(
    () => read(bytes, limits),
    (error: unknown) => {
      assert.ok(error instanceof BraidError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, says);
      assert.match(error.message, /a\.safetensors/);
      assert.doesNotMatch(error.message, /\{\w+\}/, 'every place of the message is filled');
      assert.equal(error.status, 422);
      return true;
    },
  );
}

const entry = (dtype: string, shape: unknown, offsets: unknown) => JSON.stringify({ dtype, shape, data_offsets: offsets });
const withHeader = (header: string, dataBytes = 0) => frameSafetensors(header, new Uint8Array(dataBytes));

describe('a well-formed file', () => {
  const bytes = encodeSafetensors({ 'b.weight': float32Tensor([2, 3], [1, 2, 3, 4, 5, 6]), a: float32Tensor([], [7]) }, { format: 'pt' });

  it('gives dtype, shape and absolute places', () => {
    const { tensors, metadata, dataOffset } = read(bytes);
    assert.deepEqual([...tensors.keys()], ['b.weight', 'a']);
    assert.deepEqual(tensors.get('b.weight'), { dtype: 'F32', shape: [2, 3], offset: dataOffset, length: 24 });
    assert.deepEqual(tensors.get('a'), { dtype: 'F32', shape: [], offset: dataOffset + 24, length: 4 });
    assert.equal(metadata.get('format'), 'pt');
  });

  it('reads the same from disk, and a tensor from its place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'braid-safetensors-'));
    try {
      await writeFile(join(folder, 'a.safetensors'), bytes);
      const handle = await open(join(folder, 'a.safetensors'));
      try {
        const header = await readSafetensorsFileHeader(handle, ADAPTER_LIMITS, 'a.safetensors');
        assert.deepEqual(header, read(bytes));
        const scalar = header.tensors.get('a');
        assert.ok(scalar);
        assert.equal((await readTensorBytes(handle, scalar, 'a.safetensors')).readFloatLE(0), 7);
      } finally {
        await handle.close();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('accepts what the library writes: padding spaces, escapes, empty tensors, no tensors, names like __proto__', () => {
    assert.equal(read(withHeader(`{"a":${entry('F32', [1], [0, 4])}}    `, 4)).tensors.size, 1);
    assert.ok(read(withHeader(`{"\\u0061\\n\\"é":${entry('U8', [2], [0, 2])}}`, 2)).tensors.has('a\n"é'));
    assert.deepEqual(read(withHeader(`{"e":${entry('F16', [0, 576], [0, 0])}}`)).tensors.get('e')?.shape, [0, 576]);
    assert.equal(read(withHeader('{}')).tensors.size, 0);
    assert.ok(read(withHeader(`{"__proto__":${entry('I8', [1], [0, 1])}}`, 1)).tensors.has('__proto__'));
  });

  it('does not mind in which order the header names the tensors', () => {
    const header = read(withHeader(`{"z":${entry('U8', [3], [2, 5])},"y":${entry('BF16', [1], [0, 2])}}`, 5));
    assert.deepEqual([...header.tensors.keys()], ['y', 'z']);
  });
});

describe('a file that is cut off', () => {
  const bytes = encodeSafetensors({ a: float32Tensor([4], [1, 2, 3, 4]) });

  it('is refused at every length', () => {
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), 'SAFETENSORS_TRUNCATED', /cut off/);
  });

  it('is refused from disk as well', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'braid-safetensors-'));
    try {
      for (const length of [0, 5, 8, 20, bytes.length - 1]) {
        const path = join(folder, `${length}.safetensors`);
        await writeFile(path, bytes.subarray(0, length));
        const handle = await open(path);
        try {
          await assert.rejects(readSafetensorsFileHeader(handle, ADAPTER_LIMITS, 'a'), { code: 'SAFETENSORS_TRUNCATED' });
        } finally {
          await handle.close();
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a header that lies about its size', () => {
  it('is refused before anything is allocated for it', () => {
    refused(frameSafetensors('{}', undefined, 2n ** 64n - 1n), 'SAFETENSORS_LIMIT_EXCEEDED', /18446744073709551615/);
    refused(frameSafetensors('{}', undefined, BigInt(ADAPTER_LIMITS.maxHeaderBytes) + 1n), 'SAFETENSORS_LIMIT_EXCEEDED', /25000000/);
    refused(frameSafetensors('{}', undefined, BigInt(ADAPTER_LIMITS.maxHeaderBytes)), 'SAFETENSORS_TRUNCATED', /the header needs 25000008/);
    refused(frameSafetensors('', undefined, 0n), 'SAFETENSORS_HEADER_INVALID', /0 bytes/);
    refused(Buffer.from('PK\x03\x04 a zip file, as torch.save writes'), 'SAFETENSORS_LIMIT_EXCEEDED', /header/);
  });
});

describe('a header that is not a safetensors header', () => {
  const cases: readonly [title: string, header: string | Uint8Array, says: RegExp][] = [
    ['not JSON', 'hello', /begin with/],
    ['an array', '[1]', /begin with/],
    ['spaces first', '  {}', /begin with/],
    ['a byte order mark first', '\ufeff{}', /begin with/],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), /UTF-8/],
    ['unfinished', '{"a":', /"\{" is missing|ends where/],
    ['something after it', '{}{}', /follows/],
    ['a trailing comma', `{"a":${entry('U8', [0], [0, 0])},}`, /string is missing/],
    ['a bare key', '{a:1}', /string is missing/],
    ['an unclosed string', '{"a', /malformed/],
    ['a string that ends in a backslash', '{"a\\', /malformed/],
    ['a control character in a name', '{"a\u0001":1}', /malformed/],
    ['a tensor that is a number', '{"a":1}', /"\{" is missing/],
    ['a tensor without dtype', '{"a":{"shape":[1],"data_offsets":[0,4]}}', /lacks/],
    ['a tensor without shape', '{"a":{"dtype":"F32","data_offsets":[0,4]}}', /lacks/],
    ['a tensor without offsets', '{"a":{"dtype":"F32","shape":[1]}}', /lacks/],
    ['one offset', `{"a":${entry('F32', [1], [0])}}`, /lacks/],
    ['three offsets', `{"a":${entry('F32', [1], [0, 4, 8])}}`, /more than 2/],
    ['an unknown field', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"file":"/etc/passwd"}}', /"file"/],
    ['a negative size', `{"a":${entry('F32', [-1], [0, 4])}}`, /whole number/],
    ['a fraction', `{"a":${entry('F32', [1.5], [0, 4])}}`, /whole number/],
    ['an exponent', '{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', /whole number/],
    ['a leading zero', '{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', /whole number/],
    ['a number beyond 2^53', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740993]}}', /whole number/],
    ['a string for a number', `{"a":${entry('F32', ['1'], [0, 4])}}`, /whole number/],
    ['nine dimensions', `{"a":${entry('F32', [1, 1, 1, 1, 1, 1, 1, 1, 1], [0, 4])}}`, /more than 8/],
    ['metadata that is not text', '{"__metadata__":{"a":1}}', /string is missing/],
  ];
  for (const [title, header, says] of cases) {
    it(`is refused: ${title}`, () => refused(frameSafetensors(header, new Uint8Array(4)), 'SAFETENSORS_HEADER_INVALID', says));
  }

  it('is refused when it names anything twice', () => {
    const a = entry('F32', [1], [0, 4]);
    refused(withHeader(`{"a":${a},"a":${a}}`, 4), 'SAFETENSORS_HEADER_INVALID', /"a" twice/);
    refused(withHeader(`{"a":${a},"\\u0061":${a}}`, 4), 'SAFETENSORS_HEADER_INVALID', /"a" twice/);
    refused(withHeader('{"__metadata__":{},"__metadata__":{}}'), 'SAFETENSORS_HEADER_INVALID', /twice/);
    refused(
      withHeader('{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}', 4),
      'SAFETENSORS_HEADER_INVALID',
      /"dtype" twice/,
    );
  });

  it('is refused when it names more tensors than the limit', () => {
    const header = `{${Array.from({ length: 11 }, (_, i) => `"t${i}":${entry('U8', [0], [0, 0])}`).join(',')}}`;
    refused(withHeader(header), 'SAFETENSORS_HEADER_INVALID', /more than 10 tensors/, { ...ADAPTER_LIMITS, maxTensors: 10 });
    assert.equal(read(withHeader(header), { ...ADAPTER_LIMITS, maxTensors: 11 }).tensors.size, 11);
  });

  it('is refused with a short message, however long the name', () => {
    const name = 'x'.repeat(5_000_000);
    assert.throws(
      () => read(withHeader(`{"${name}":1}`)),
      (error: unknown) => error instanceof BraidError && error.message.length < 600,
    );
    assert.throws(
      () => read(withHeader(`{"${name}":${entry('Q7', [1], [0, 4])}}`, 4)),
      (error: unknown) => error instanceof BraidError && error.code === 'SAFETENSORS_DTYPE_UNSUPPORTED' && error.message.length < 600,
    );
  });
});

describe('tensors that do not lie as they say', () => {
  const cases: readonly [title: string, tensors: Record<string, [string, number[], [number, number]]>, dataBytes: number, says: RegExp][] =
    [
      ['overlap', { a: ['F32', [2], [0, 8]], b: ['F32', [2], [4, 12]] }, 12, /inside the one before/],
      ['the same bytes twice', { a: ['F32', [1], [0, 4]], b: ['F32', [1], [0, 4]] }, 4, /inside the one before/],
      ['a gap', { a: ['F32', [1], [0, 4]], b: ['F32', [1], [8, 12]] }, 12, /gap/],
      ['a gap at the start', { a: ['F32', [1], [4, 8]] }, 8, /gap/],
      ['bytes after the last', { a: ['F32', [1], [0, 4]] }, 5, /1 bytes follow/],
      ['too few bytes for the shape', { a: ['F32', [2], [0, 4]] }, 4, /spans 4 bytes, but F32 \[2\] takes 8/],
      ['too many bytes for the shape', { a: ['F16', [2], [0, 8]] }, 8, /takes 4/],
      ['an end before its begin', { a: ['F32', [1], [4, 0]] }, 4, /before it begins/],
      ['a size that overflows', { a: ['F64', [2 ** 30, 2 ** 30], [0, 8]] }, 8, /too large/],
      ['a size that would wrap to the right number', { a: ['U8', [2 ** 52, 2 ** 52, 4096], [0, 0]] }, 0, /too large/],
      ['bytes for an empty tensor', { a: ['F32', [0], [0, 4]] }, 4, /takes 0/],
    ];
  for (const [title, tensors, dataBytes, says] of cases) {
    it(`are refused: ${title}`, () => {
      const header = Object.fromEntries(
        Object.entries(tensors).map(([name, [dtype, shape, data_offsets]]) => [name, { dtype, shape, data_offsets }]),
      );
      refused(withHeader(JSON.stringify(header), dataBytes), 'SAFETENSORS_LAYOUT_INVALID', says);
    });
  }

  it('are refused when they reach beyond the file', () => {
    refused(
      withHeader(`{"a":${entry('F32', [1_000_000_000], [0, 4_000_000_000])}}`, 64),
      'SAFETENSORS_TRUNCATED',
      /what the header describes/,
    );
  });

  it('are refused when their dtype is unknown, and the message lists the known', () => {
    refused(withHeader(`{"a":${entry('F4', [8], [0, 4])}}`, 4), 'SAFETENSORS_DTYPE_UNSUPPORTED', /"F4".*BF16/);
    refused(withHeader(`{"a":${entry('toString', [8], [0, 4])}}`, 4), 'SAFETENSORS_DTYPE_UNSUPPORTED', /toString/);
  });
});

describe('noise', () => {
  // mulberry32: a seed is printed with a failure, so that it can be run again.
  function createRandom(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    };
  }

  const whole = encodeSafetensors(
    { a: float32Tensor([2, 2], [1, 2, 3, 4]), b: { dtype: 'BF16', shape: [3], bytes: new Uint8Array(6) }, c: float32Tensor([0], []) },
    { format: 'pt' },
  );

  it('is either refused with a code or read as tensors that tile the file exactly', () => {
    let refusals = 0;
    let accepted = 0;
    for (let seed = 0; seed < 20_000; seed++) {
      const random = createRandom(seed);
      const bytes = Buffer.from(whole.subarray(0, random() < 0.2 ? Math.floor(random() * whole.length) : whole.length));
      const edits = 1 + Math.floor(random() * 4);
      // Half of the edits put characters where JSON is read, so that they get past the first check.
      const alphabet = '{}[]",:0123456789.eE-\\uabcF32';
      for (let edit = 0; edit < edits && bytes.length > 0; edit++) {
        bytes[Math.floor(random() * bytes.length)] =
          random() < 0.5 ? Math.floor(random() * 256) : alphabet.charCodeAt(Math.floor(random() * alphabet.length));
      }
      try {
        const { tensors, dataOffset } = read(bytes);
        let cursor = dataOffset;
        for (const { offset, length } of tensors.values()) {
          assert.equal(offset, cursor, `seed ${seed}`);
          cursor += length;
        }
        assert.equal(cursor, bytes.length, `seed ${seed}`);
        accepted++;
      } catch (error) {
        assert.ok(error instanceof BraidError, `seed ${seed}: ${String(error)}`);
        assert.match(error.code, /^SAFETENSORS_/);
        refusals++;
      }
    }
    // Both sides must have been visited, or the loop proves nothing: edits of data or names leave a file valid.
    assert.ok(refusals > 5_000 && accepted > 300, `${refusals} refused, ${accepted} accepted`);
  });
});
