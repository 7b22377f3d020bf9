// The digest by which a base model is known: SHA-256 over the bytes of its weight files, in the order of their names.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { digestFromHex, type Digest } from '#src/ids/ids.js';

// Hashing a piece takes about a millisecond; requests are served between pieces.
const PIECE_BYTES = 1024 * 1024;

/**
 * Reads all bytes once, in pieces. For a single file it is the digest that the Hugging Face Hub shows.
 * @param files plain names, in order
 * @param onPiece sees every piece of every file, in order
 * @throws what the file system or `onPiece` throws
 */
export async function digestWeights(
  directory: string,
  files: readonly string[],
  onPiece?: (file: string, piece: Uint8Array) => void,
): Promise<Digest> {
  const hash = createHash('sha256');
  for (const file of files) {
    const pieces: AsyncIterable<Buffer> = createReadStream(join(directory, file), { highWaterMark: PIECE_BYTES });
    for await (const piece of pieces) {
      hash.update(piece);
      onPiece?.(file, piece);
    }
  }
  return digestFromHex(hash.digest('hex'));
}
