// An adapter version as a page, and the outcome of publishing one.
import { type AdapterView, type PublishedAdapterView } from '../hub-views.js';
import { printable, printableLine, type Style } from '../terminal.js';
import { formatAge, formatBytes, formatCount } from './quantities.js';
import { renderFields } from './table.js';

export function renderAdapter(adapter: AdapterView, style: Style, now: Date): string {
  const others = adapter.versions.filter((version) => version !== adapter.version);
  const card = withoutFrontMatter(printable(adapter.card)).trim();
  return `${style.bold(`${adapter.name}@${adapter.version}`)}  ${style.dim(`adapter for ${adapter.baseModel.name}, ${formatAge(new Date(adapter.createdAt), now)}`)}
${renderFields(
  [
    ['about', printableLine(adapter.description)],
    ['tags', adapter.tags.map(printableLine).join(', ')],
    ...traits(adapter),
    ['size', formatBytes(adapter.sizeBytes)],
    ['files', adapter.files.map((file) => printableLine(file.path)).join(', ')],
    ['digest', adapter.digest],
    ['versions', others.length === 0 ? undefined : `${adapter.version}${adapter.isLatest ? ' (latest)' : ''}; also ${others.join(', ')}`],
  ],
  style,
)}${card === '' ? '' : `\n${card}\n`}`;
}

export function renderPublished(published: PublishedAdapterView & { readonly created: boolean }, style: Style): string {
  const name = `${published.name}@${published.version}`;
  const first = published.created ? `${style.green('published')} ${style.bold(name)}` : `${style.bold(name)} is this very adapter already`;
  return `${first}\n${renderFields([['base', published.baseModel.name], ...traits(published), ['digest', published.digest]], style)}`;
}

function traits(adapter: AdapterView): readonly (readonly [string, string])[] {
  const kind = adapter.useRslora ? 'rsLoRA' : printableLine(adapter.peftType);
  return [
    ['kind', `${kind}, rank ${adapter.rank}, alpha ${adapter.alpha}`],
    ['modules', adapter.targetModules.map(printableLine).join(', ')],
    ['parameters', formatCount(adapter.parameterCount)],
  ];
}

/** What the front matter holds is shown as fields already. */
function withoutFrontMatter(card: string): string {
  return card.replace(/^---\n[\s\S]*?\n---[ \t]*(?:\n|$)/, '');
}
