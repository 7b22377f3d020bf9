// Bounds lists and objects of a body before a class is made of them: class-validator is slow for each element, on the thread that serves.
import { errorsOf } from './braid-error.js';
import { httpErrors } from './http.errors.js';

const fail = errorsOf(httpErrors);

/** Of numbers: token ids of the longest contexts. */
const MAX_NUMBERS = 262_144;
/** Of anything else, and fields of an object: more than the prompts, messages or examples of any request that is taken. */
const MAX_ELEMENTS = 16_384;

/**
 * Walks the body once, without recursion, and goes into no list that is too long.
 * @throws BraidError INVALID_REQUEST naming the first list or object that is too long
 */
export function assertBounded(body: unknown): void {
  const waiting: { readonly value: unknown; readonly field: string }[] = [{ value: body, field: '' }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, field } = next;
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue;
    const isNumbers = Array.isArray(value) && value.every((item) => typeof item === 'number');
    const limit = isNumbers ? MAX_NUMBERS : MAX_ELEMENTS;
    const keys = Array.isArray(value) ? value.length : Object.keys(value).length;
    if (keys > limit) {
      const rule = `must contain no more than ${limit} ${Array.isArray(value) ? 'elements' : 'fields'}`;
      const subject = field === '' ? 'the body' : field;
      throw fail('INVALID_REQUEST', { problems: `${subject} ${rule} (found ${keys})`, field, rule });
    }
    if (isNumbers) continue;
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== 'object' || item === null) continue;
      waiting.push({ value: item as unknown, field: Array.isArray(value) ? `${field}[${key}]` : field === '' ? key : `${field}.${key}` });
    }
  }
}
