// Holds a stream to the length that was announced.
import { Transform } from 'node:stream';
import { errorsOf } from '../http/braid-error.js';
import { storageErrors } from './storage.errors.js';

const fail = errorsOf(storageErrors);

/** Passes bytes through and fails as soon as there are more than `sizeBytes`, or at the end if there are fewer (OBJECT_SIZE_MISMATCH). */
export function exactLength(sizeBytes: number): Transform {
  let found = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      found += chunk.length;
      if (found > sizeBytes) done(fail('OBJECT_SIZE_MISMATCH', { found, expected: sizeBytes }));
      else done(null, chunk);
    },
    flush(done) {
      if (found === sizeBytes) done();
      else done(fail('OBJECT_SIZE_MISMATCH', { found, expected: sizeBytes }));
    },
  });
}
