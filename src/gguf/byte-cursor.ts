// Reads little-endian values one after the other and stops at the end.

export class ByteCursor {
  offset = 0;

  constructor(
    private readonly bytes: Buffer,
    /** The error of reading on to `offset`, behind the end. */
    private readonly pastEnd: (offset: number) => Error,
  ) {}

  uint32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  uint64(): bigint {
    return this.bytes.readBigUInt64LE(this.take(8));
  }

  float32(): number {
    return this.bytes.readFloatLE(this.take(4));
  }

  /** UTF-8; @throws what `notText` returns */
  text(length: number, notText: () => Error): string {
    const start = this.take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes.subarray(start, start + length));
    } catch {
      throw notText();
    }
  }

  skip(length: number): void {
    this.take(length);
  }

  private take(length: number): number {
    const start = this.offset;
    if (start + length > this.bytes.byteLength) throw this.pastEnd(start + length);
    this.offset = start + length;
    return start;
  }
}
