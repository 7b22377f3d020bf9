// Reads README.md as the Hugging Face Hub has it: YAML between lines of dashes, then Markdown. What search needs of it: tags and a description.
import { parseDocument } from 'yaml';

export interface Card {
  /** Of the front matter, in order, each once. */
  readonly tags: readonly string[];
  /** `description` of the front matter, else the first paragraph that says something; may be empty. */
  readonly description: string;
  /** What was found amiss and left aside. */
  readonly warnings: readonly string[];
}

export const MAX_TAGS = 64;
export const MAX_TAG_LENGTH = 100;
export const MAX_DESCRIPTION_LENGTH = 500;
// The Hub's own front matters, model-index and all, have some KB.
const MAX_FRONT_MATTER_LENGTH = 65_536;
// A card that has said nothing after so much Markdown has no summary; it also bounds what hostile text can cost.
const MAX_SEARCHED_LENGTH = 10_000;
const FRONT_MATTER = /^\ufeff?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/;

/** A card that is not as expected never fails a publish: what cannot be used is left aside and said. */
export function readCard(text: string): Card {
  const [matter, yaml] = FRONT_MATTER.exec(text) ?? ['', undefined];
  const { fields, warnings } = yaml === undefined ? { fields: {}, warnings: [] } : parseFrontMatter(yaml);
  const { tags, description } = fields;
  return {
    tags: cleanTags(Array.isArray(tags) ? tags : [tags]),
    description: cleanDescription(typeof description === 'string' ? description : firstParagraph(text.slice(matter.length))),
    warnings,
  };
}

/** Trims, drops what is no tag, and keeps each once, up to the limit. */
export function cleanTags(values: readonly unknown[]): string[] {
  const tags = values.flatMap((value) => (typeof value === 'string' && isTag(value.trim()) ? [value.trim()] : []));
  return [...new Set(tags)].slice(0, MAX_TAGS);
}

/** Whether the text can be a tag: short, and without control characters. */
export function isTag(text: string): boolean {
  return text.length >= 1 && text.length <= MAX_TAG_LENGTH && !/\p{Cc}/u.test(text);
}

function parseFrontMatter(yaml: string): { fields: Record<string, unknown>; warnings: string[] } {
  const ignored = (reason: string) => ({ fields: {}, warnings: [`The front matter of README.md is ignored: ${reason}.`] });
  if (yaml.length > MAX_FRONT_MATTER_LENGTH) return ignored(`it has more than ${MAX_FRONT_MATTER_LENGTH} characters`);
  try {
    const document = parseDocument(yaml, { schema: 'core', uniqueKeys: false, prettyErrors: false });
    if (document.errors.length > 0) return ignored('it is not YAML');
    // Aliases can blow a few lines up to gigabytes; cards have none.
    const value: unknown = document.toJS({ maxAliasCount: 10 });
    if (value === null || value === undefined) return { fields: {}, warnings: [] };
    if (typeof value !== 'object' || Array.isArray(value)) return ignored('it is not a list of fields');
    return { fields: value as Record<string, unknown>, warnings: [] };
  } catch {
    return ignored('it is not YAML');
  }
}

function firstParagraph(markdown: string): string {
  const prose = markdown
    .slice(0, MAX_SEARCHED_LENGTH)
    .replace(/<!--[\s\S]*?(?:-->|$)/g, '')
    .replace(/^(```|~~~)[\s\S]*?^\1[^\n]*$/gm, '')
    .split(/\r?\n[ \t]*\r?\n|^#{1,6} [^\n]*$/m);
  for (const block of prose) {
    const text = plainText(block);
    // What templates leave behind says nothing.
    if (/\p{L}/u.test(text) && !/more information needed/i.test(text)) return text;
  }
  return '';
}

/** Markdown to the words that a reader sees, on one line. */
function plainText(block: string): string {
  return block
    .split(/\r?\n/)
    .filter((line) => !/^\s*(?:#{1,6}\s|\||[-=]{3,}\s*$|<[^>]*>\s*$)/.test(line))
    .join(' ')
    .replace(/!\[[^\]]{0,500}\]\([^)]{0,500}\)/g, '')
    .replace(/\[([^\]]{0,500})\]\([^)]{0,500}\)/g, '$1')
    .replace(/<[^>]{1,200}>/g, '')
    .replace(/(\*\*|__|`)/g, '');
}

function cleanDescription(text: string): string {
  const line = text
    .replace(/\p{Cc}/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  if (line.length <= MAX_DESCRIPTION_LENGTH) return line;
  const cut = line.slice(0, MAX_DESCRIPTION_LENGTH - 1);
  const space = cut.lastIndexOf(' ');
  return `${(space > MAX_DESCRIPTION_LENGTH / 2 ? cut.slice(0, space) : cut).trimEnd()}…`;
}
