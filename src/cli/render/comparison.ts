// A comparison as a table: a line a model, its answer last.
import { type ComparisonView } from '../hub-views.js';
import { printableLine, type Terminal } from '../terminal.js';
import { renderTable } from './table.js';

export function renderComparison({ choices }: ComparisonView, { style, columns }: Terminal): string {
  return renderTable(
    [{ heading: 'MODEL' }, { heading: 'TOKENS', align: 'right' }, { heading: 'END' }, { heading: 'ANSWER' }],
    choices.map((choice) => {
      const model = style.bold(printableLine(choice.model));
      if ('error' in choice) return [model, '–', 'error', printableLine(`${choice.error.code}: ${choice.error.message}`)];
      const text = 'text' in choice ? choice.text : (choice.message?.content ?? '');
      return [model, String(choice.usage.completion_tokens), choice.finish_reason ?? '', printableLine(text)];
    }),
    style,
    columns,
  );
}
