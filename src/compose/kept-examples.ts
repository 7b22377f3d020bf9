// Examples as an object: JSON Lines named by their digest, kept with a composition so that it can be composed again when its job is gone.
import { BraidError } from '#src/http/braid-error.js';
import { type Digest, digestOf } from '#src/ids/ids.js';
import { examplesKey } from '#src/storage/keys.js';
import type { ObjectStore } from '#src/storage/object-store.js';
import { parseJsonLines, type PlacedExample } from '#src/tokenizer/examples.js';

/** Of the lines that `keepExamples` writes. */
export function digestOfExamples(examples: readonly PlacedExample[]): Digest {
  return digestOf(toLines(examples));
}

/** Stores the examples under `digestOfExamples`; again is harmless. */
export async function keepExamples(objects: ObjectStore, examples: readonly PlacedExample[]): Promise<void> {
  await objects.put(examplesKey(digestOfExamples(examples)), Buffer.from(toLines(examples)));
}

/** The examples as JSON values, as a client would send them; undefined when they were not kept. */
export async function findKeptExamples(objects: ObjectStore, digest: Digest): Promise<unknown[] | undefined> {
  try {
    return parseJsonLines((await objects.get(examplesKey(digest))).toString('utf8')).map(({ value }) => value);
  } catch (error) {
    if (error instanceof BraidError && error.code === 'OBJECT_MISSING') return undefined;
    throw error;
  }
}

// JSON escapes line breaks, NUL and lone surrogates, so that any text is a line of UTF-8.
function toLines(examples: readonly PlacedExample[]): string {
  return examples.map(({ example }) => `${JSON.stringify(example)}\n`).join('');
}
