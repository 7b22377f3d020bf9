// The bytes that one vocabulary entry stands for, for the tokenizer families whose entries are written in an alphabet of their own.

/**
 * GPT-2's printable alphabet for bytes: the 188 printable Latin-1 characters stand for themselves, the other 68 bytes
 * for U+0100 and on, in order (openai/gpt-2, encoder.py, bytes_to_unicode).
 */
function createByteOfCharacter(): ReadonlyMap<string, number> {
  const byteOfCharacter = new Map<string, number>();
  let shifted = 0;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    byteOfCharacter.set(String.fromCharCode(printable ? byte : 0x100 + shifted++), byte);
  }
  return byteOfCharacter;
}

const BYTE_OF_CHARACTER = createByteOfCharacter();
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;
const utf8 = new TextEncoder();

/** Bytes of an entry of a byte-level vocabulary; an entry that is not written in that alphabet is itself, in UTF-8. */
export function byteLevelTokenBytes(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return utf8.encode(token);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Bytes of an entry of a SentencePiece-like vocabulary: `▁` is a space, and with byte fallback `<0xE2>` is the byte 0xE2. */
export function sentencePieceTokenBytes(token: string, byteFallback: boolean): Uint8Array {
  const hex = byteFallback ? BYTE_TOKEN.exec(token)?.[1] : undefined;
  return hex === undefined ? utf8.encode(token.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(hex, 16));
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes as text, or, where they are not whole characters, as OpenAI writes such tokens: `bytes:\xe2\x96`. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}
