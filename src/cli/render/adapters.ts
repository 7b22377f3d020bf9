// An adapter version as a page.
import { type AdapterView, type PublishedView } from '../hub-views.js';
import { printable, printableLine, type Style } from '../terminal.js';
import { formatAge, formatBytes, formatCount } from './quantities.js';
import { renderFields } from './table.js';

export function renderAdapter(adapter: AdapterView, style: Style, now: Date): string {
  const head = `${style.bold(`${adapter.name}@${adapter.version}`)}  ${style.dim(`${adapter.rslora ? 'rsLoRA' : 'LoRA'} for ${adapter.baseModel}`)}\n`;
  const fields = renderFields(
    [
      ['about', printableLine(adapter.description)],
      ['tags', adapter.tags.map(printableLine).join(', ')],
      ['rank', `${adapter.rank}, alpha ${adapter.alpha}`],
      ['modules', adapter.targetModules.map(printableLine).join(', ')],
      ['parameters', formatCount(adapter.parameterCount)],
      ['size', formatBytes(adapter.sizeBytes)],
      ['digest', adapter.digest],
      ['published', formatAge(new Date(adapter.createdAt), now)],
      ['versions', adapter.versions?.join(', ')],
    ],
    style,
  );
  const card = adapter.card === undefined || adapter.card.trim() === '' ? '' : `\n${printable(adapter.card).trim()}\n`;
  return head + fields + card;
}

export function renderPublished(published: PublishedView, style: Style): string {
  const name = `${published.name}@${published.version}`;
  const first = published.created
    ? `${style.green('published')} ${style.bold(name)}`
    : `${style.bold(name)} was published before with the same content`;
  return `${first}\n${renderFields(
    [
      ['base', published.baseModel],
      ['rank', `${published.rank}, alpha ${published.alpha}${published.rslora ? ' (rsLoRA)' : ''}`],
      ['modules', published.targetModules.map(printableLine).join(', ')],
      ['parameters', formatCount(published.parameterCount)],
      ['digest', published.digest],
    ],
    style,
  )}`;
}
