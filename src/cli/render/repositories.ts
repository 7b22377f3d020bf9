// Repositories as a table.
import { type RepositoryListView } from '../hub-views.js';
import { printableLine, type Terminal } from '../terminal.js';
import { formatAge } from './quantities.js';
import { renderTable } from './table.js';

export function renderRepositories(page: RepositoryListView, { style }: Terminal, now = new Date()): string {
  if (page.items.length === 0) return 'Nothing here yet. Publish an adapter with: braid publish DIR ns/name --base org/name\n';
  const table = renderTable(
    [{ heading: 'NAME' }, { heading: 'VERSION' }, { heading: 'KIND' }, { heading: 'BASE' }, { heading: 'PUBLISHED' }],
    page.items.map((item) => [style.bold(item.name), item.version, item.kind, item.baseModel, formatAge(new Date(item.createdAt), now)]),
    style,
  );
  return table + moreLine(page.next, 'list');
}

/** How to get the next page, where there is one. */
export function moreLine(next: string | null | undefined, command: string): string {
  return next === null || next === undefined ? '' : `More: braid ${command} … --after ${printableLine(next)}\n`;
}
