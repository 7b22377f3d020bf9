// A file of an export: known by name and size before its bytes are made.

export interface ExportFile {
  /** A plain name. */
  readonly name: string;
  readonly sizeBytes: number;
  /** The bytes in pieces, made as they are taken; an error ends them early. */
  read(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** A file whose bytes are in memory. */
export function fileOf(name: string, pieces: readonly Uint8Array[]): ExportFile {
  return { name, sizeBytes: pieces.reduce((sum, { byteLength }) => sum + byteLength, 0), read: () => pieces };
}
