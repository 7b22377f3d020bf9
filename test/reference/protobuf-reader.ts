// Reads protobuf wire format into nested field lists, written from its specification and from nothing in kernels/.

export type WireValue = bigint | Uint8Array;
/** Values by field number, in order of appearance. */
export type WireMessage = ReadonlyMap<number, readonly WireValue[]>;

export function readMessage(bytes: Uint8Array): WireMessage {
  const fields = new Map<number, WireValue[]>();
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[offset++];
      if (byte === undefined) throw new Error('the message ends within a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    if (offset + length > bytes.length) throw new Error('the message ends within a field');
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  while (offset < bytes.length) {
    const tag = Number(varint());
    const [field, wireType] = [tag >> 3, tag & 7];
    const value = wireType === 0 ? varint() : wireType === 2 ? take(Number(varint())) : wireType === 5 ? take(4) : undefined;
    if (value === undefined) throw new Error(`wire type ${wireType} of field ${field} is not used by ONNX`);
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

export function messagesOf(message: WireMessage, field: number): WireMessage[] {
  return (message.get(field) ?? []).map((value) => readMessage(bytesOf(value)));
}

export function stringsOf(message: WireMessage, field: number): string[] {
  return (message.get(field) ?? []).map((value) => new TextDecoder().decode(bytesOf(value)));
}

export function numbersOfField(message: WireMessage, field: number): number[] {
  return (message.get(field) ?? []).map((value) => {
    if (typeof value !== 'bigint') throw new Error(`field ${field} is no number`);
    return Number(BigInt.asIntN(64, value));
  });
}

function bytesOf(value: WireValue): Uint8Array {
  if (typeof value === 'bigint') throw new Error('a number is no bytes');
  return value;
}
