// A page of search results with the counts beside it.
import { type SearchResult } from '../hub-views.js';
import { printableLine, type Terminal } from '../terminal.js';
import { moreLine } from './repositories.js';
import { renderTable } from './table.js';

// Values shown of each facet; the rest are only counted.
const SHOWN_VALUES = 8;

export function renderSearch(page: SearchResult, { style, columns }: Terminal): string {
  if (page.items.length === 0) return 'Nothing found. Try fewer words or filters; braid list shows everything.\n';
  const table = renderTable(
    [
      { heading: 'NAME' },
      { heading: 'KIND' },
      { heading: 'BASE' },
      { heading: 'RANK', align: 'right' },
      { heading: 'TAGS' },
      { heading: 'ABOUT' },
    ],
    page.items.map((item) => [
      style.bold(`${item.name}@${item.version}`),
      item.kind,
      item.base,
      item.rank === null ? '' : String(item.rank),
      item.tags.map(printableLine).join(' '),
      printableLine(item.description),
    ]),
    style,
    columns,
  );
  return `${table}${page.total > page.items.length ? style.dim(`${page.items.length} of ${page.total}\n`) : ''}${renderFacets(page.facets, style.dim)}${moreLine(page.next, 'search')}`;
}

function renderFacets(facets: SearchResult['facets'], dim: (text: string) => string): string {
  const given = Object.entries<SearchResult['facets']['rank']>({ ...facets }).filter(([, counts]) => counts.length > 0);
  if (given.length === 0) return '';
  const width = Math.max(...given.map(([name]) => name.length));
  const lines = given.map(([name, counts]) => {
    const shown = counts.slice(0, SHOWN_VALUES).map(({ value, count }) => `${printableLine(String(value))} ${dim(`(${count})`)}`);
    const rest = counts.length - shown.length;
    return `${dim(name.padEnd(width))}  ${shown.join('  ')}${rest > 0 ? `  ${dim(`and ${rest} more`)}` : ''}\n`;
  });
  return `\n${lines.join('')}`;
}
