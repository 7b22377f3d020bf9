// What full-text search knows of a version; written together with the version, so that it never falls behind.
import { type EntityManager } from 'typeorm';
import { type RepoName, type RowId } from '../ids/ids.js';

/** The texts of a version, by how much a hit in them counts. */
export interface SearchTexts {
  readonly name: RepoName;
  readonly tags: readonly string[];
  readonly description: string;
  /** The card, or what else is worth finding. */
  readonly body: string;
}

// A tsvector holds 1 MiB at most; what is said after this many characters is not what a card is about.
const MAX_INDEXED_CHARACTERS = 100_000;

/** Names and tags are written with separators that the text parser would keep together ("org/name" is a file name to it). */
export function separateWords(text: string): string {
  return text.replace(/[^\p{L}\p{N}]+/gu, ' ');
}

/** Sets the search column of a version's row. */
export async function writeSearchDocument(
  manager: EntityManager,
  table: 'adapter_versions' | 'composition_versions',
  id: RowId,
  texts: SearchTexts,
): Promise<void> {
  await manager.query(
    `UPDATE ${table} SET search =
       setweight(to_tsvector('english', $2), 'A') || setweight(to_tsvector('english', $3), 'A') ||
       setweight(to_tsvector('english', $4), 'B') || setweight(to_tsvector('english', $5), 'C')
     WHERE id = $1`,
    [
      id,
      separateWords(texts.name),
      separateWords(texts.tags.join(' ')),
      texts.description.slice(0, MAX_INDEXED_CHARACTERS),
      texts.body.slice(0, MAX_INDEXED_CHARACTERS),
    ],
  );
}
