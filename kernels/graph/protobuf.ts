// The few protobuf wire types that ONNX needs (https://protobuf.dev/programming-guides/encoding), written in field order so that equal
// messages have equal bytes.

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Appends fields of one message; `finish` returns its bytes. */
export class ProtobufWriter {
  private chunks: Uint8Array[] = [];
  private sizeBytes = 0;

  /** An integer field. Negative values take ten bytes, as int64 does. Zero is written too: ONNX is proto2, where presence counts. */
  int(field: number, value: number | bigint): void {
    this.tag(field, VARINT);
    this.push(encodeVarint(BigInt(value)));
  }

  float(field: number, value: number): void {
    this.tag(field, FIXED32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.push(bytes);
  }

  string(field: number, value: string): void {
    this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): void {
    this.tag(field, LENGTH_DELIMITED);
    this.push(encodeVarint(BigInt(value.byteLength)));
    this.push(value);
  }

  message(field: number, write: (inner: ProtobufWriter) => void): void {
    const inner = new ProtobufWriter();
    write(inner);
    this.tag(field, LENGTH_DELIMITED);
    this.push(encodeVarint(BigInt(inner.sizeBytes)));
    for (const chunk of inner.chunks) this.push(chunk);
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.sizeBytes);
    let offset = 0;
    for (const chunk of this.chunks) {
      result.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return result;
  }

  private tag(field: number, wireType: number): void {
    this.push(encodeVarint(BigInt(field * 8 + wireType)));
  }

  private push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.sizeBytes += chunk.byteLength;
  }
}

function encodeVarint(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value);
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
