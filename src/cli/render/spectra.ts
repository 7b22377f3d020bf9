// What an update is, by class and by module: ranks, norms beside the base's, singular values as a line of blocks.
import type { ModuleSpectrumView, SpectraView } from '../hub-views.js';
import type { Style, Terminal } from '../terminal.js';
import { formatRange, groupByClass, meanOf } from './by-class.js';
import { formatPercent, formatPlural, formatSignificant } from './quantities.js';
import { profile } from './sparkline.js';
import { type Column, renderTable } from './table.js';

/** More modules are a wall of text; `--modules` shows them. */
export const MOST_MODULES = 40;
/** Characters of a line of blocks. */
const LINE = 32;

const right = (heading: string): Column => ({ heading, align: 'right' });

/** @param isWhole every module has a line of its own, however many there are */
export function renderSpectra(spectra: SpectraView, isWhole: boolean, { style }: Pick<Terminal, 'style'>): string {
  const { model, kind, base, norm, relativeNorm, modules } = spectra;
  const size = `‖ΔW‖ ${formatSignificant(norm)}, ${formatPercent(relativeNorm)} of the weights it changes`;
  return [
    `${style.bold(model)}  ${kind} for ${base}, ${formatPlural(modules.length, 'module')}, ${size}\n`,
    renderClasses(modules, style),
    isWhole || modules.length <= MOST_MODULES
      ? renderModules(modules, style)
      : style.dim(`${modules.length} modules: --modules lists them, --targets chooses some\n`),
    ...notesOf(modules).map((note) => `${note}\n`),
  ].join('\n');
}

function renderClasses(modules: readonly ModuleSpectrumView[], style: Style): string {
  const mean = (group: readonly ModuleSpectrumView[], figure: 'stableRank' | 'effectiveRank' | 'relativeNorm'): number =>
    meanOf(group.map((module) => module[figure])) ?? 0;
  return renderTable(
    [{ heading: 'CLASS' }, ...['MODULES', 'RANK', 'STABLE', 'EFFECTIVE', '‖ΔW‖/‖W₀‖'].map(right), { heading: 'LAYER BY LAYER' }],
    [...groupByClass(modules)].map(([name, group]) => [
      name,
      String(group.length),
      formatRange(group.map(({ rank }) => rank)),
      mean(group, 'stableRank').toFixed(1),
      mean(group, 'effectiveRank').toFixed(1),
      formatPercent(mean(group, 'relativeNorm')),
      profile(
        group.map(({ relativeNorm }) => relativeNorm),
        2 * LINE,
      ),
    ]),
    style,
  );
}

function renderModules(modules: readonly ModuleSpectrumView[], style: Style): string {
  return renderTable(
    [{ heading: 'MODULE' }, ...['RANK', 'STABLE', 'EFFECTIVE', '‖ΔW‖', '‖ΔW‖/‖W₀‖'].map(right), { heading: 'SINGULAR VALUES' }],
    modules.map(({ path, rank, numericalRank, stableRank, effectiveRank, norm, relativeNorm, values }) => [
      path,
      numericalRank === rank ? String(rank) : `${numericalRank} of ${rank}`,
      stableRank.toFixed(1),
      effectiveRank.toFixed(1),
      formatSignificant(norm),
      formatPercent(relativeNorm),
      profile(values, LINE),
    ]),
    style,
  );
}

/** Each once, with where it holds. */
export function notesOf(modules: readonly { readonly path: string; readonly note: string | null }[]): string[] {
  const paths = new Map<string, string[]>();
  for (const { path, note } of modules) if (note !== null) paths.set(note, [...(paths.get(note) ?? []), path]);
  return [...paths].map(
    ([note, [first = '', ...others]]) => `${note} (${first}${others.length === 0 ? '' : ` and ${others.length} more`}).`,
  );
}
