// Objects in one bucket of an S3 server. A put is visible only when complete: S3 promises that itself.
import { Client, S3Error } from 'minio';
import { type Readable } from 'node:stream';
import { type S3Configuration } from '../config/configuration.js';
import { errorsOf } from '../http/braid-error.js';
import { exactLength } from './exact-length.js';
import { checkedKey } from './keys.js';
import { type ObjectInfo, type ObjectStore } from './object-store.js';
import { storageErrors } from './storage.errors.js';

const fail = errorsOf(storageErrors);

// What one upload holds in memory; S3 asks for at least 5 MiB a part and takes at most 10,000 parts.
const PART_BYTES = 16 * 1024 * 1024;
const MAX_PARTS = 9_000;

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof S3Error && codes.includes(error.code ?? '');
}

export class S3ObjectStore implements ObjectStore {
  private readonly client: Client;
  private readonly bucket: string;

  constructor(private readonly configuration: S3Configuration) {
    const { endPoint, port, useSsl, region, accessKey, secretKey } = configuration;
    this.client = new Client({ endPoint, port, useSSL: useSsl, region, accessKey, secretKey });
    this.bucket = configuration.bucket;
  }

  /** Makes the bucket when it is absent. */
  async open(): Promise<void> {
    if (await this.client.bucketExists(this.bucket)) return;
    try {
      await this.client.makeBucket(this.bucket, this.configuration.region);
    } catch (error) {
      // Another hub may have made it between the two calls.
      if (!hasCode(error, 'BucketAlreadyOwnedByYou')) throw error;
    }
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.client.putObject(this.bucket, checkedKey(key), Buffer.from(body.buffer, body.byteOffset, body.byteLength), body.byteLength);
  }

  async putStream(key: string, body: Readable, sizeBytes: number): Promise<void> {
    const objectName = checkedKey(key);
    const checked = exactLength(sizeBytes);
    // pipe() does not hand an error on, so that reading `checked` would wait for ever.
    body.on('error', (error) => checked.destroy(error));
    body.pipe(checked);
    if (sizeBytes <= PART_BYTES) {
      const chunks: Buffer[] = [];
      for await (const chunk of checked) chunks.push(chunk as Buffer);
      await this.put(objectName, Buffer.concat(chunks));
    } else {
      await this.putParts(objectName, checked, Math.max(PART_BYTES, Math.ceil(sizeBytes / MAX_PARTS)));
    }
  }

  async get(key: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.getStream(key)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  async getStream(key: string): Promise<Readable> {
    try {
      return await this.client.getObject(this.bucket, checkedKey(key));
    } catch (error) {
      throw hasCode(error, 'NoSuchKey', 'NotFound') ? fail('OBJECT_MISSING', { key }, error) : error;
    }
  }

  async find(key: string): Promise<ObjectInfo | undefined> {
    try {
      const { size } = await this.client.statObject(this.bucket, checkedKey(key));
      return { sizeBytes: size };
    } catch (error) {
      if (hasCode(error, 'NoSuchKey', 'NotFound')) return undefined;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    await this.client.removeObject(this.bucket, checkedKey(key));
  }

  async ping(): Promise<void> {
    if (!(await this.client.bucketExists(this.bucket))) throw new Error(`the bucket ${this.bucket} is gone`);
  }

  // Parts are sent here and not by the client's putObject(stream): that one never notices a source that fails, and picks up whatever
  // unfinished upload of the same key it finds, another request's included.
  private async putParts(objectName: string, body: Readable, partBytes: number): Promise<void> {
    const uploadID = await this.client.initiateNewMultipartUpload(this.bucket, objectName, {});
    try {
      const parts: { part: number; etag: string }[] = [];
      for await (const payload of partsOf(body, partBytes)) {
        const partNumber = parts.length + 1;
        const headers = { 'Content-Length': payload.length };
        const { etag } = await this.client.uploadPart({ bucketName: this.bucket, objectName, uploadID, partNumber, headers }, payload);
        parts.push({ part: partNumber, etag });
      }
      await this.client.completeMultipartUpload(this.bucket, objectName, uploadID, parts);
    } catch (error) {
      body.destroy();
      await this.client.abortMultipartUpload(this.bucket, objectName, uploadID);
      throw error;
    }
  }
}

/** Cuts a stream into buffers of `partBytes`; the last may be shorter. */
async function* partsOf(body: Readable, partBytes: number): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let held = 0;
  for await (const next of body) {
    let chunk = next as Buffer;
    while (held + chunk.length >= partBytes) {
      const cut = partBytes - held;
      yield Buffer.concat([...chunks, chunk.subarray(0, cut)]);
      chunk = chunk.subarray(cut);
      chunks = [];
      held = 0;
    }
    if (chunk.length > 0) chunks.push(chunk);
    held += chunk.length;
  }
  if (held > 0) yield Buffer.concat(chunks);
}
