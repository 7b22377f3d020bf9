// What a text or jsonb column cannot hold is refused by name, before the database fails on it.
import { errorsOf } from '../http/braid-error.js';
import { registryErrors } from './registry.errors.js';

const fail = errorsOf(registryErrors);

// PostgreSQL stores neither NUL nor half of a surrogate pair.
const UNSTORABLE = /\0|\p{Surrogate}/u;
// Real configurations nest three or four levels; the database's parser gives up at some thousands.
const MAX_DEPTH = 64;

/** Walks strings, keys and values of `value`, which `field` names in the error. @throws BraidError UNSTORABLE_TEXT */
export function assertStorable(field: string, value: unknown, depth = 0): void {
  if (typeof value === 'string') {
    if (UNSTORABLE.test(value)) throw fail('UNSTORABLE_TEXT', { field, found: 'a NUL character or half of a surrogate pair' });
    return;
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) return;
  if (depth === MAX_DEPTH) throw fail('UNSTORABLE_TEXT', { field, found: `more than ${MAX_DEPTH} levels of nesting` });
  for (const [key, item] of Object.entries(value)) {
    if (!Array.isArray(value)) assertStorable(field, key);
    assertStorable(field, item, depth + 1);
  }
}

/** Checks every field of a row. @throws BraidError UNSTORABLE_TEXT */
export function assertStorableFields(row: object): void {
  for (const [field, value] of Object.entries(row)) assertStorable(field, value);
}
