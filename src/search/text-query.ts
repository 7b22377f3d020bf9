// What a user types becomes PostgreSQL text queries: words (all of them), "phrases", -excluded words, or.
import { separateWords } from '../registry/search-document.js';

export interface TextQuery {
  /** For websearch_to_tsquery. */
  readonly web: string;
  /** For to_tsquery: every word as the beginning of one; empty when the text asks for more than words. */
  readonly prefixes: string;
}

/** Words are cut as names and tags were when they were indexed, so that `org/name` finds itself. */
export function parseTextQuery(text: string): TextQuery {
  let onlyWords = true;
  const parts: string[] = [];
  const words: string[] = [];
  for (const [token] of text.matchAll(/-?"[^"]*"?|[^\s"]+/g)) {
    const excluded = /^-["\p{L}\p{N}]/u.test(token);
    const quoted = token.includes('"');
    const found = separateWords(token).trim();
    if (found === '') continue;
    if (excluded || quoted) parts.push(`${excluded ? '-' : ''}"${found}"`);
    else parts.push(found);
    if (excluded || quoted || found.toLowerCase() === 'or') onlyWords = false;
    words.push(...found.split(' '));
  }
  return { web: parts.join(' '), prefixes: onlyWords ? words.map((word) => `${word}:*`).join(' & ') : '' };
}
