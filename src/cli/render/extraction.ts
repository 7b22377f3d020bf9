// What was cut out of a checkpoint: by class, how much of the update is kept at which rank, and what is lost besides.
import type { Extraction } from '#src/checkpoints/extract-adapter.js';
import type { Style } from '../terminal.js';
import { formatRange, groupByClass } from './by-class.js';
import { formatPercent, formatPlural } from './quantities.js';
import { type Column, renderTable } from './table.js';

const OTHERS_SHOWN = 5;

export function renderExtraction({ modules, keptEnergy, others }: Omit<Extraction, 'adapter'>, style: Style): string {
  const right = (heading: string): Column => ({ heading, align: 'right' });
  const grouped = groupByClass(modules.map((module) => ({ ...module, class: module.path.split('.').at(-1) ?? '' })));
  const table = renderTable(
    [{ heading: 'CLASS' }, ...['MODULES', 'RANK', 'KEPT', 'LEAST KEPT', '‖ΔW‖/‖W₀‖'].map(right)],
    [...grouped].map(([name, group]) => {
      const energy = group.reduce((sum, { norm }) => sum + norm ** 2, 0);
      return [
        name,
        String(group.length),
        formatRange(group.map(({ rank }) => rank)),
        formatPercent(group.reduce((sum, module) => sum + module.keptEnergy * module.norm ** 2, 0) / energy),
        formatPercent(Math.min(...group.map((module) => module.keptEnergy))),
        formatPercent(group.reduce((sum, { relativeNorm }) => sum + relativeNorm, 0) / group.length),
      ];
    }),
    style,
  );
  const shown = [...others].sort((a, b) => b.relativeChange - a.relativeChange).slice(0, OTHERS_SHOWN);
  const lost = shown.map(({ tensor, relativeChange }) => `${tensor} (by ${formatPercent(relativeChange)})`).join(', ');
  const more = others.length > shown.length ? ` and ${others.length - shown.length} more` : '';
  return [
    `${style.bold(`${formatPercent(keptEnergy)} of the update's energy`)} is kept, in ${formatPlural(modules.length, 'module')}\n\n`,
    table,
    others.length === 0
      ? ''
      : `\n${style.yellow('lost')}: ${formatPlural(others.length, 'other tensor')} of the checkpoint: ${lost}${more}\n`,
  ].join('');
}
