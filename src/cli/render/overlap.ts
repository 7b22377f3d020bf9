// Two updates beside each other, by class and by module: subspaces and cosines, with what chance would give.
import type { ModuleOverlapView, OverlapView } from '../hub-views.js';
import type { Style, Terminal } from '../terminal.js';
import { formatRange, groupByClass, meanOf } from './by-class.js';
import { formatPlural } from './quantities.js';
import { MOST_MODULES, notesOf } from './spectra.js';
import { type Column, renderTable } from './table.js';

const PATHS_SHOWN = 3;

/** @param isWhole as of renderSpectra */
export function renderOverlap(overlap: OverlapView, isWhole: boolean, { style }: Pick<Terminal, 'style'>): string {
  const { first, second, base, cosine, modules, onlyFirst, onlySecond } = overlap;
  const parts = [`${style.bold(first)} beside ${style.bold(second)}  on ${base}, cosine ${figure(cosine)}\n`];
  if (modules.length > 0) {
    parts.push(renderClasses(modules, style));
    parts.push(
      isWhole || modules.length <= MOST_MODULES
        ? renderModules(modules, style)
        : style.dim(`${modules.length} modules: --modules lists them, --targets chooses some\n`),
    );
    parts.push(
      'LEFT: of what is written to, RIGHT: of what is read from, ‖UᵀU′‖²/min(r, r′); in brackets what random directions would share.\n',
    );
  }
  const alone = [describeOnly(first, onlyFirst), describeOnly(second, onlySecond), ...notesOf(modules)].filter(
    (line) => line !== undefined,
  );
  if (alone.length > 0) parts.push(alone.map((line) => `${line}\n`).join(''));
  return parts.join('\n');
}

const COLUMNS: readonly Column[] = ['DIRECTIONS', 'LEFT', 'RIGHT', 'COSINE'].map((heading) => ({ heading, align: 'right' }));

function renderClasses(modules: readonly ModuleOverlapView[], style: Style): string {
  return renderTable(
    [{ heading: 'CLASS' }, { heading: 'MODULES', align: 'right' }, ...COLUMNS],
    [...groupByClass(modules)].map(([name, group]) => {
      const mean = (key: 'left' | 'right' | 'leftByChance' | 'rightByChance' | 'cosine'): number | null =>
        meanOf(group.map((module) => module[key]));
      const directions = [0, 1].map((side) => formatRange(group.map((module) => module.directions[side] ?? 0)));
      return [
        name,
        String(group.length),
        directions.join(' and '),
        ...cells(mean('left'), mean('leftByChance'), mean('right'), mean('rightByChance'), mean('cosine')),
      ];
    }),
    style,
  );
}

function renderModules(modules: readonly ModuleOverlapView[], style: Style): string {
  return renderTable(
    [{ heading: 'MODULE' }, ...COLUMNS],
    modules.map(({ path, directions, left, leftByChance, right, rightByChance, cosine }) => [
      path,
      directions.join(' and '),
      ...cells(left, leftByChance, right, rightByChance, cosine),
    ]),
    style,
  );
}

function cells(
  left: number | null,
  leftChance: number | null,
  right: number | null,
  rightChance: number | null,
  cosine: number | null,
): string[] {
  return [`${figure(left)} (${figure(leftChance)})`, `${figure(right)} (${figure(rightChance)})`, figure(cosine)];
}

function describeOnly(name: string, paths: readonly string[]): string | undefined {
  if (paths.length === 0) return undefined;
  const more = paths.length > PATHS_SHOWN ? ` and ${paths.length - PATHS_SHOWN} more` : '';
  return `${name} alone changes ${formatPlural(paths.length, 'module')}: ${paths.slice(0, PATHS_SHOWN).join(', ')}${more}.`;
}

function figure(value: number | null): string {
  return value === null ? '–' : value.toFixed(2).replace(/^-/, '−').replace('−0.00', '0.00');
}
