// Where the next page begins: the last item's place in the order, bound to the query that it belongs to.
import { createHash } from 'node:crypto';

export interface Place {
  readonly score: number;
  readonly name: string;
}

function fingerprint(query: unknown): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);
}

/** `query` is whatever decides which items there are and how they are ordered. */
export function encodeCursor(place: Place, query: unknown): string {
  return Buffer.from(JSON.stringify([place.score, place.name, fingerprint(query)])).toString('base64url');
}

/** The place, or undefined when the text is no cursor of this query. */
export function decodeCursor(text: string, query: unknown): Place | undefined {
  try {
    const [score, name, print] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown[];
    if (typeof score !== 'number' || typeof name !== 'string' || name.includes('\0') || print !== fingerprint(query)) return undefined;
    return { score, name };
  } catch {
    return undefined;
  }
}
