// Aligned columns without frames: a line of headings, then one line a row.
import CliTable from 'cli-table3';
import { type Style } from '../terminal.js';

export interface Column {
  readonly heading: string;
  /** @default 'left' */
  readonly align?: 'left' | 'right';
}

const NO_FRAME = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((name) => [name, '']),
);

/**
 * Renders rows under headings, two spaces between columns.
 * With `lineWidth` (characters) the last column, which must then be without attributes, is cut so that no line is longer; it keeps at least 10.
 */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], style: Style, lineWidth?: number): string {
  const fitted = lineWidth === undefined ? rows : fitLast(columns, rows, lineWidth);
  const table = new CliTable({
    head: columns.map((column) => style.dim(column.heading)),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: { ...NO_FRAME, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...fitted.map((row) => [...row]));
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Renders `name  value` lines, the names dimmed and of one width; entries without a value are left out. */
export function renderFields(fields: readonly (readonly [name: string, value: string | undefined])[], style: Style): string {
  const given = fields.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value] as const]));
  const width = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${style.dim(name.padEnd(width))}  ${value.replace(/\n/g, `\n${' '.repeat(width + 2)}`)}\n`).join('');
}

function fitLast(columns: readonly Column[], rows: readonly (readonly string[])[], lineWidth: number): string[][] {
  const last = columns.length - 1;
  const widths = columns.map((column, i) => Math.max(column.heading.length, ...rows.map((row) => visibleLength(row[i] ?? ''))));
  const taken = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  const room = Math.max(10, lineWidth - taken);
  return rows.map((row) => row.map((cell, i) => (i === last ? cut(cell, room) : cell)));
}

/** Characters without the attributes that `Style` adds. */
function visibleLength(text: string): number {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  return [...text.replace(/\u001b\[\d+m/g, '')].length;
}

/** Cuts text to `width` characters, the last of them an ellipsis when something was cut. */
export function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}
