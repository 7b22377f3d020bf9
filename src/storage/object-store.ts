// The object-store port: immutable blobs by key, implemented over the file system and over S3. Keys are built in keys.ts alone.
import type { Readable } from 'node:stream';

export interface ObjectInfo {
  readonly sizeBytes: number;
}

export interface ObjectStore {
  /** Stores the bytes under `key`; storing the same key again is harmless (objects are content-addressed). Visible only when complete. */
  put(key: string, body: Uint8Array): Promise<void>;
  /** Streams `sizeBytes` bytes to `key`. A stream that ends early or late is an error and leaves nothing visible. */
  putStream(key: string, body: Readable, sizeBytes: number): Promise<void>;
  /** The whole object. @throws BraidError OBJECT_MISSING */
  get(key: string): Promise<Buffer>;
  /** A stream of the object. @throws BraidError OBJECT_MISSING */
  getStream(key: string): Promise<Readable>;
  /** Size, or undefined when absent. */
  find(key: string): Promise<ObjectInfo | undefined>;
  /** Removes the object; absent is fine. */
  delete(key: string): Promise<void>;
  /** Checks that the store answers (for /readyz). */
  ping(): Promise<void>;
}

/** Nest injection token of the configured store. */
export const OBJECT_STORE = Symbol('OBJECT_STORE');
