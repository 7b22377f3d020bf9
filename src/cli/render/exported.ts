// What an export wrote, and what cutting its rank lost.
import { type ExportView } from '../hub-views.js';
import { printableLine, type Style } from '../terminal.js';
import { formatBytes } from './quantities.js';
import { renderFields } from './table.js';

const WORST_SHOWN = 3;

export function renderExported(found: ExportView, out: string, style: Style): string {
  const size = found.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return `${style.green('exported')} ${style.bold(`${found.name}@${found.version}`)}
${renderFields(
  [
    ['format', found.format],
    ['written', printableLine(out)],
    ['files', found.files.map(({ name }) => printableLine(name)).join(', ')],
    ['size', formatBytes(size)],
    ['cut', found.cut === null ? undefined : describeCut(found.cut)],
  ],
  style,
)}`;
}

function describeCut({ rank, error, modules }: NonNullable<ExportView['cut']>): string {
  const worst = [...modules].sort((a, b) => b.error - a.error).slice(0, WORST_SHOWN);
  const shown = worst.map((module) => `${printableLine(module.module)} ${percent(module.error)}`).join(', ');
  return `to rank ${rank}: off by ${percent(error)} of its norm; most in ${shown}`;
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(3)} %`;
}
