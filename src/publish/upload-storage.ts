// Takes the files of an upload to a folder of their own, hashing as they come; only the files of an adapter are let in, each up to its own limit.
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { digestFromHex, type Digest } from '#src/ids/ids.js';
import { fail } from './publish.errors.js';

/** The files that an adapter is kept with, by name. */
export const UPLOAD_FILES = ['adapter_config.json', 'adapter_model.safetensors', 'README.md', 'examples.jsonl'] as const;
/** In place of the first two: it becomes them before anything else is done. */
export const GGUF_FILE = 'adapter.gguf';
export type UploadFileName = (typeof UPLOAD_FILES)[number] | typeof GGUF_FILE;
export const REQUIRED_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const satisfies readonly UploadFileName[];
export const ALLOWED_FILES =
  'adapter_config.json, adapter_model.safetensors (or adapter.gguf in place of both) and, if you like, README.md and examples.jsonl';

// A configuration has some KB, a card rarely 100 KB, and 256 examples of 8 KB each take 2 MB, which a tokenizer reads in a few seconds.
const SMALL_FILE_BYTES = { 'adapter_config.json': 1_048_576, 'README.md': 1_048_576, 'examples.jsonl': 2 * 1_048_576 } as const;

/** Fields beside the files, one of which may be given often: tags. */
export const UPLOAD_LIMITS = { files: 8, fields: 128, parts: 136, fieldSize: 4096, fieldNameSize: 64, headerPairs: 32 } as const;

/** A file of an upload, in the folder of temporary files until {@link removeUploads}. */
export interface UploadedFile {
  readonly name: UploadFileName;
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: Digest;
}

/** What multer knows of a part, and what the storage adds. */
interface Part {
  readonly originalname: string;
  readonly stream?: Readable;
}
type Done = (error: unknown, info?: UploadedFile) => void;

/** Lets the files of an adapter in, by name; everything else is refused with what to do instead. */
export function acceptUpload(_request: unknown, part: Part, done: (error: Error | null, accept: boolean) => void): void {
  try {
    assertUploadName(part.originalname);
    done(null, true);
  } catch (error) {
    done(error as Error, false);
  }
}

/** A storage engine for multer. */
export class UploadStorage {
  constructor(
    /** Of adapter_model.safetensors, and of adapter.gguf. */
    private readonly maxWeightBytes: number,
    private readonly folder = tmpdir(),
  ) {}

  _handleFile(_request: unknown, part: Part, done: Done): void {
    this.store(part).then(
      (file) => done(null, file),
      (error: unknown) => done(error),
    );
  }

  _removeFile(_request: unknown, file: { readonly path?: string }, done: (error: Error | null) => void): void {
    const removed = file.path === undefined ? Promise.resolve() : rm(file.path, { force: true });
    removed.then(
      () => done(null),
      (error: unknown) => done(error as Error),
    );
  }

  private async store({ originalname, stream }: Part): Promise<UploadedFile> {
    const name = assertUploadName(originalname);
    if (stream === undefined) throw new Error('a part without a stream');
    const limit = name === 'adapter_model.safetensors' || name === GGUF_FILE ? this.maxWeightBytes : SMALL_FILE_BYTES[name];
    await mkdir(this.folder, { recursive: true });
    const path = join(this.folder, `braid-upload-${randomUUID()}`);
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, pass) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > limit) {
          pass(fail('UPLOAD_FILE_TOO_LARGE', { file: name, allowed: limit }));
          return;
        }
        hash.update(chunk);
        pass(null, chunk);
      },
    });
    try {
      await pipeline(stream, count, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    return { name, path, sizeBytes, digest: digestFromHex(hash.digest('hex')) };
  }
}

/** Removes what is left of an upload; what is gone already is fine. */
export async function removeUploads(files: readonly { readonly path?: string }[]): Promise<void> {
  await Promise.all(files.map(({ path }) => (path === undefined ? Promise.resolve() : rm(path, { force: true }))));
}

/**
 * The files by name.
 * @throws BraidError UPLOAD_FILE_MISSING, UPLOAD_FILE_REFUSED when one comes twice
 */
export function indexUploads(files: readonly UploadedFile[]): ReadonlyMap<UploadFileName, UploadedFile> {
  const index = new Map<UploadFileName, UploadedFile>();
  for (const { name, path, sizeBytes, digest } of files) {
    if (index.has(name)) throw fail('UPLOAD_FILE_REFUSED', { found: name, reason: 'it comes twice', allowed: ALLOWED_FILES });
    index.set(name, { name, path, sizeBytes, digest });
  }
  if (index.has(GGUF_FILE)) {
    const double = REQUIRED_FILES.find((name) => index.has(name));
    if (double !== undefined)
      throw fail('UPLOAD_FILE_REFUSED', { found: double, reason: `${GGUF_FILE} is there in its place`, allowed: ALLOWED_FILES });
    return index;
  }
  const missing = REQUIRED_FILES.filter((name) => !index.has(name));
  if (missing.length > 0) throw fail('UPLOAD_FILE_MISSING', { missing: missing.join(' and '), allowed: ALLOWED_FILES });
  return index;
}

function assertUploadName(found: string): UploadFileName {
  const name = ([...UPLOAD_FILES, GGUF_FILE] as const).find((candidate) => candidate === found);
  if (name !== undefined) return name;
  throw fail('UPLOAD_FILE_REFUSED', { found: shown(found), reason: reasonAgainst(found), allowed: ALLOWED_FILES });
}

function reasonAgainst(found: string): string {
  if (/\.(bin|pt|pth|ckpt|pkl|pickle)$/i.test(found)) {
    return 'a pickle runs code when it is read; save the adapter as safetensors (save_pretrained with safe_serialization=True)';
  }
  if (found.endsWith('.safetensors')) return 'adapter weights come in one file, adapter_model.safetensors';
  return 'it is no part of an adapter';
}

function shown(name: string): string {
  return JSON.stringify(name.length > 120 ? `${basename(name).slice(0, 117)}...` : name);
}
