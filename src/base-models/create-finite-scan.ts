// Finds the first NaN or infinity among a file's tensors while its bytes stream by, in pieces that may cut an element anywhere.
import { endianness } from 'node:os';
import { type TensorLocation } from '#kernels/models/tensor-index.js';

/** A weight that is no number to compute with. */
export interface NonFiniteWeight {
  readonly tensor: string;
  /** Of the element, counted through the tensor in row-major order. */
  readonly index: number;
  readonly found: 'NaN' | 'Infinity' | '-Infinity';
}

interface FloatFormat {
  readonly bytes: 2 | 4;
  readonly sign: number;
  /** Neither a NaN nor an infinity has a zero here, and every finite number has one. */
  readonly exponent: number;
  readonly mantissa: number;
}

const FORMATS = {
  F32: { bytes: 4, sign: 0x8000_0000, exponent: 0x7f80_0000, mantissa: 0x007f_ffff },
  F16: { bytes: 2, sign: 0x8000, exponent: 0x7c00, mantissa: 0x03ff },
  BF16: { bytes: 2, sign: 0x8000, exponent: 0x7f80, mantissa: 0x007f },
} as const satisfies Record<TensorLocation['dtype'], FloatFormat>;

interface Span {
  readonly name: string;
  readonly format: FloatFormat;
  /** Bytes from the beginning of the file. */
  readonly begin: number;
  readonly end: number;
}

/**
 * A scan of one file: to be called with its pieces in order, it answers with the first bad weight that a piece completes.
 * @param tensors of this file, in any order, none over another; bytes outside of them are not looked at
 */
export function createFiniteScan(tensors: ReadonlyMap<string, TensorLocation>): (piece: Uint8Array) => NonFiniteWeight | undefined {
  if (endianness() !== 'LE') throw new Error('weights are little-endian, and so must the machine be');
  const spans = [...tensors]
    .map(([name, { dtype, offset, length }]): Span => ({ name, format: FORMATS[dtype], begin: offset, end: offset + length }))
    .sort((one, other) => one.begin - other.begin);
  // The element that a border cuts is gathered here; it is whole when its last byte has come.
  const cut = new Uint8Array(4);
  let next = 0;
  let position = 0;

  const scanSpan = ({ name, format, begin, end }: Span, piece: Uint8Array): NonFiniteWeight | undefined => {
    let at = Math.max(begin, position);
    const stop = Math.min(end, position + piece.length);
    const check = (bytes: Uint8Array, from: number): NonFiniteWeight | undefined => {
      const elements = viewElements(bytes, format);
      const index = findExponent(elements, format.exponent);
      if (index < 0) return undefined;
      return { tensor: name, index: (from - begin) / format.bytes + index, found: describeBits(elements[index] ?? 0, format) };
    };
    const started = (at - begin) % format.bytes;
    if (started > 0) {
      const rest = piece.subarray(at - position, Math.min(at - position + format.bytes - started, stop - position));
      cut.set(rest, started);
      at += rest.length;
      if (started + rest.length < format.bytes) return undefined;
      const bad = check(cut.subarray(0, format.bytes), at - format.bytes);
      if (bad !== undefined) return bad;
    }
    const whole = stop - ((stop - begin) % format.bytes);
    if (at < whole) {
      const bad = check(piece.subarray(at - position, whole - position), at);
      if (bad !== undefined) return bad;
    }
    if (whole < stop) cut.set(piece.subarray(whole - position, stop - position));
    return undefined;
  };

  return (piece) => {
    const end = position + piece.length;
    for (let span = spans[next]; span !== undefined && span.begin < end; span = spans[next]) {
      const bad = scanSpan(span, piece);
      if (bad !== undefined) return bad;
      if (span.end > end) break;
      next++;
    }
    position = end;
    return undefined;
  };
}

/** Typed arrays need alignment, which neither tensors nor pieces promise: what lacks it is copied, a piece at a time. */
function viewElements(bytes: Uint8Array, { bytes: size }: FloatFormat): Uint32Array | Uint16Array {
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return size === 4 ? new Uint32Array(buffer, byteOffset, bytes.length / 4) : new Uint16Array(buffer, byteOffset, bytes.length / 2);
}

/** Index of the first element whose exponent is all ones, or -1. */
function findExponent(elements: Uint32Array | Uint16Array, exponent: number): number {
  for (let i = 0; i < elements.length; i++) if (((elements[i] ?? 0) & exponent) === exponent) return i;
  return -1;
}

function describeBits(bits: number, { mantissa, sign }: FloatFormat): NonFiniteWeight['found'] {
  if ((bits & mantissa) !== 0) return 'NaN';
  return (bits & sign) === 0 ? 'Infinity' : '-Infinity';
}
