// A page of search results with the counts beside it.
import { type LikeSearchResult, type SearchResult } from '../hub-views.js';
import { printableLine, type Terminal } from '../terminal.js';
import { moreLine } from './repositories.js';
import { renderTable } from './table.js';

// Values shown of each facet; the rest are only counted.
const SHOWN_VALUES = 8;

export function renderSearch(page: SearchResult, { style, columns }: Terminal): string {
  if (page.items.length === 0) return 'Nothing found. Try fewer words or filters; braid list shows everything.\n';
  // What all results share stands below, among the counts; the line's room is for what tells them apart.
  const hasKinds = page.facets.kind.length > 1;
  const hasBases = page.facets.base.length > 1;
  const hasScores = page.items.some(({ exactMatch }) => exactMatch !== null);
  const table = renderTable(
    [
      { heading: 'NAME' },
      ...(hasKinds ? [{ heading: 'KIND' }] : []),
      ...(hasBases ? [{ heading: 'BASE' }] : []),
      { heading: 'RANK', align: 'right' },
      ...(hasScores ? [{ heading: 'EXACT MATCH', align: 'right' as const }] : []),
      { heading: 'ABOUT' },
    ],
    page.items.map((item) => [
      style.bold(`${item.name}@${item.version}`),
      ...(hasKinds ? [item.kind] : []),
      ...(hasBases ? [item.base] : []),
      item.rank === null ? '' : String(item.rank),
      ...(hasScores ? [item.exactMatch?.toFixed(2) ?? ''] : []),
      printableLine(item.description),
    ]),
    style,
    columns,
  );
  const more = page.total > page.items.length ? style.dim(`${page.items.length} of ${page.total}\n`) : '';
  return `${table}${more}${renderFacets(page.facets, style.dim)}${moreLine(page.next, 'search')}`;
}

/** Adapters by likeness: the cosine of their signatures first, because it is the order. */
export function renderLikeSearch({ items, considered }: LikeSearchResult, { style, columns }: Terminal): string {
  if (items.length === 0) return 'Nothing to compare with: no other adapter is published for this base model.\n';
  const table = renderTable(
    [{ heading: 'LIKE', align: 'right' }, { heading: 'NAME' }, { heading: 'RANK', align: 'right' }, { heading: 'ABOUT' }],
    items.map((item) => [
      item.similarity.toFixed(2),
      style.bold(`${item.name}@${item.version}`),
      item.rank === null ? '' : String(item.rank),
      printableLine(item.description),
    ]),
    style,
    columns,
  );
  return `${table}${considered > items.length ? style.dim(`${items.length} of ${considered}\n`) : ''}`;
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
