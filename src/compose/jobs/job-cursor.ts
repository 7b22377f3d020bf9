// Where the next page of jobs begins: the place of the last one shown, as an opaque text.
import { InvalidIdError, parseRowId } from '#src/ids/ids.js';
import type { JobPlace } from './compose-job.store.js';
import { failCompose } from '../compose.errors.js';

export function encodeJobCursor({ createdAtUs, id }: JobPlace): string {
  return Buffer.from(`${createdAtUs} ${id}`).toString('base64url');
}

/** @throws BraidError INVALID_CURSOR */
export function decodeJobCursor(text: string): JobPlace {
  const [createdAtUs = '', id = ''] = Buffer.from(text, 'base64url').toString('utf8').split(' ');
  // Sixteen digits are microseconds until the year 2286, within PostgreSQL's range.
  if (!/^\d{1,16}$/.test(createdAtUs)) throw failCompose('INVALID_CURSOR');
  try {
    return { createdAtUs, id: parseRowId(id) };
  } catch (error) {
    if (error instanceof InvalidIdError) throw failCompose('INVALID_CURSOR');
    throw error;
  }
}
