// Base models as a table and as a page.
import { type BaseModelView } from '../hub-views.js';
import { printableLine, type Style } from '../terminal.js';
import { formatBytes, formatCount } from './quantities.js';
import { renderFields, renderTable } from './table.js';

export function renderModels(models: readonly BaseModelView[], style: Style): string {
  if (models.length === 0) return 'No base model yet. Add one with: braid models add DIR --name org/name\n';
  return renderTable(
    [
      { heading: 'NAME' },
      { heading: 'ARCHITECTURE' },
      { heading: 'PARAMETERS', align: 'right' },
      { heading: 'WEIGHTS', align: 'right' },
      { heading: 'CONTEXT', align: 'right' },
      { heading: 'VOCABULARY', align: 'right' },
    ],
    models.map((model) => [
      style.bold(model.name),
      printableLine(model.architecture),
      formatCount(model.parameterCount),
      formatBytes(model.weightBytes),
      String(model.contextLength),
      String(model.vocabularySize),
    ]),
    style,
  );
}

export function renderModel(model: BaseModelView, style: Style): string {
  return `${style.bold(model.name)}\n${renderFields(
    [
      ['architecture', printableLine(model.architecture)],
      ['parameters', formatCount(model.parameterCount)],
      ['weights', formatBytes(model.weightBytes)],
      ['context', `${model.contextLength} tokens`],
      ['vocabulary', `${model.vocabularySize} tokens`],
      ['folder', printableLine(model.directory)],
      ['digest', model.digest],
    ],
    style,
  )}`;
}
