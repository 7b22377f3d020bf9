// HTML as values: whatever is put into a template is escaped, unless it is markup itself. So a text of a user cannot become part of a page.

/** Text that is HTML already: what `markup` made, or a constant of ours. */
export class Markup {
  constructor(readonly html: string) {}
}

/** What a template takes; undefined and false are nothing. */
export type Content = Markup | string | number | false | undefined | readonly Content[];

/** A template: the literal parts are HTML, the values are escaped. Attributes must be in double quotes. */
export function markup(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.map((part, i) => part + rendered(values[i])).join(''));
}

function rendered(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Markup) return content.html;
  if (typeof content === 'object') return content.map(rendered).join('');
  return escapeText(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

// HTML has no place for most control characters and for half of a surrogate pair.
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Surrogate}/gu;

/** Text for an element or a quoted attribute; what HTML cannot hold becomes U+FFFD. */
export function escapeText(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(UNPRINTABLE, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/**
 * At most about `most` characters, the middle left out: what a prompt begins and ends with says most about it.
 * A surrogate pair is not cut in two.
 */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = text.slice(0, Math.ceil(most / 2)).replace(/[\ud800-\udbff]$/, '');
  const tail = text.slice(text.length - Math.floor(most / 2)).replace(/^[\udc00-\udfff]/, '');
  return `${head} … ${(text.length - head.length - tail.length).toLocaleString('en')} more characters … ${tail}`;
}

/** With its first letter large. */
export function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** A name from outside, kept from turning the direction of the text around it; it may break before its own parts. */
export function named(text: string): Markup {
  const parts = text.split(/(?<=\/)|(?=@)/);
  return markup`<bdi>${parts.map((part, i) => markup`${i > 0 && markup`<wbr>`}${part}`)}</bdi>`;
}
