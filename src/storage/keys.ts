// Every object key is built here, so that nothing a client says can name an object outside its place.
import { type Digest } from '#src/ids/ids.js';
import { errorsOf } from '../http/braid-error.js';
import { storageErrors } from './storage.errors.js';

const fail = errorsOf(storageErrors);

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const MAX_KEY_LENGTH = 512;

/** A file of an adapter version, e.g. `adapters/<hex>/adapter_model.safetensors`; `file` is a plain name. @throws BraidError INVALID_KEY */
export function adapterFileKey(digest: Digest, file: string): string {
  return checkedKey(`adapters/${digest.slice('sha256:'.length)}/${file}`);
}

/** Bytes by their own digest: files as they were uploaded, shared by all versions that have them. */
export function fileKey(digest: Digest): string {
  return checkedKey(`files/${digest.slice('sha256:'.length)}`);
}

/** The few-shot examples with this digest. */
export function examplesKey(digest: Digest): string {
  return checkedKey(`examples/${digest.slice('sha256:'.length)}.jsonl`);
}

/** Accepts relative paths of plain segments only: no '..', no empty or hidden segment, no backslash. @throws BraidError INVALID_KEY */
export function checkedKey(key: string): string {
  const segments = key.split('/');
  if (key.length > MAX_KEY_LENGTH || !segments.every((segment) => SEGMENT.test(segment) && !segment.includes('..'))) {
    throw fail('INVALID_KEY', { key: JSON.stringify(key.slice(0, 200)) });
  }
  return key;
}
