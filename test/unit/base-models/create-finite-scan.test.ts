// The scan for NaN and infinities: every format, every place, and every way in which a border may cut an element.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type TensorLocation } from '#kernels/models/tensor-index.js';
import { createFiniteScan, type NonFiniteWeight } from '#src/base-models/create-finite-scan.js';

const SIZES = { F32: 4, F16: 2, BF16: 2 } as const;

function place(dtype: TensorLocation['dtype'], offset: number, count: number): TensorLocation {
  return { file: 'a', dtype, shape: [count], offset, length: count * SIZES[dtype] };
}

/** Scans the bytes in pieces of a size, each at its own alignment. */
function scan(tensors: Record<string, TensorLocation>, bytes: Uint8Array, pieceBytes: number): NonFiniteWeight | undefined {
  const next = createFiniteScan(new Map(Object.entries(tensors)));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const bad = next(bytes.subarray(at, at + pieceBytes));
    if (bad !== undefined) return bad;
  }
  return undefined;
}

const BAD = [
  ['F32', 0x7fc0_0000, 'NaN'],
  ['F32', 0xff80_0001, 'NaN'],
  ['F32', 0x7f80_0000, 'Infinity'],
  ['F32', 0xff80_0000, '-Infinity'],
  ['F16', 0x7e00, 'NaN'],
  ['F16', 0xfc01, 'NaN'],
  ['F16', 0x7c00, 'Infinity'],
  ['F16', 0xfc00, '-Infinity'],
  ['BF16', 0x7fc0, 'NaN'],
  ['BF16', 0xff81, 'NaN'],
  ['BF16', 0x7f80, 'Infinity'],
  ['BF16', 0xff80, '-Infinity'],
] as const;
/** The largest of either sign, the smallest, and both zeros. */
const GOOD = {
  F32: [0x7f7f_ffff, 0xff7f_ffff, 0x0000_0001, 0, 0x8000_0000],
  F16: [0x7bff, 0xfbff, 0x0001, 0, 0x8000],
  BF16: [0x7f7f, 0xff7f, 0x0001, 0, 0x8000],
} as const;

function write(bytes: Buffer, dtype: TensorLocation['dtype'], at: number, bits: number): void {
  if (SIZES[dtype] === 4) bytes.writeUInt32LE(bits, at);
  else bytes.writeUInt16LE(bits, at);
}

describe('a finite scan', () => {
  for (const [dtype, bits, found] of BAD) {
    it(`finds ${dtype} ${found} (0x${bits.toString(16)}) wherever it is and however it is cut`, () => {
      for (const offset of [0, 1, 3, 8]) {
        for (const index of [0, 4, 8]) {
          for (const pieceBytes of [1, 2, 3, 5, 7, 16, 1000]) {
            const bytes = Buffer.alloc(offset + 9 * SIZES[dtype] + 5);
            GOOD[dtype].forEach((good, i) => write(bytes, dtype, offset + i * SIZES[dtype], good));
            write(bytes, dtype, offset + index * SIZES[dtype], bits);
            const bad = scan({ w: place(dtype, offset, 9) }, bytes, pieceBytes);
            assert.deepEqual(bad, { tensor: 'w', index, found }, `offset ${offset}, index ${index}, pieces of ${pieceBytes}`);
          }
        }
      }
    });
  }

  it('lets finite extremes and bytes of other tensors pass', () => {
    for (const dtype of ['F32', 'F16', 'BF16'] as const) {
      const size = SIZES[dtype];
      // All ones before, between and after: NaN in every format.
      const bytes = Buffer.alloc(7 + 5 * size + 6 + 5 * size + 9, 0xff);
      for (const begin of [7, 7 + 5 * size + 6]) GOOD[dtype].forEach((good, i) => write(bytes, dtype, begin + i * size, good));
      const tensors = { second: place(dtype, 7 + 5 * size + 6, 5), empty: place(dtype, 7, 0), first: place(dtype, 7, 5) };
      for (const pieceBytes of [1, 2, 3, 5, 7, 16, 1000]) assert.equal(scan(tensors, bytes, pieceBytes), undefined);
      write(bytes, dtype, 7 + 5 * size + 6, GOOD[dtype][0] + 1);
      for (const pieceBytes of [1, 3, 16, 1000]) assert.equal(scan(tensors, bytes, pieceBytes)?.tensor, 'second');
    }
  });
});
