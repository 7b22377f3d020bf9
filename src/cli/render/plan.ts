// A plan as tables: what would be trained, and what training, keeping and serving it would take, whole models beside adapters.
import type { Plan } from '#src/plan/create-plan.js';
import type { TrainingPlan } from '#src/plan/plan-training.js';
import { printableLine, type Style, type Terminal } from '../terminal.js';
import { formatBytes, formatCount } from './quantities.js';
import { renderTable } from './table.js';

export function renderPlan(name: string, plan: Plan, { style }: Pick<Terminal, 'style'>): string {
  return [
    renderHeading(name, plan, style),
    renderModules(plan, style),
    renderTraining(plan, style),
    renderServing(plan, style),
    `${style.dim('ASSUMED')}\n${plan.assumptions.map((sentence) => `- ${sentence}\n`).join('')}`,
  ].join('\n');
}

function renderHeading(name: string, { model }: Plan, style: Style): string {
  const { architecture, layers, hiddenSize, contextLength, parameters } = model;
  const facts = [architecture, `${layers} layers of ${hiddenSize}`, `context ${contextLength}`, `${whole(parameters)} parameters`];
  return `${style.bold(printableLine(name))}  ${facts.join(', ')}\n`;
}

function renderModules({ modules, choices }: Plan, style: Style): string {
  return renderTable(
    [
      { heading: 'MODULE' },
      { heading: 'WEIGHT', align: 'right' },
      { heading: 'PARAMETERS', align: 'right' },
      { heading: `RANK ${choices.rank}`, align: 'right' },
      { heading: 'SHARE', align: 'right' },
      { heading: 'MODULES', align: 'right' },
    ],
    modules.map(({ class: target, dOut, dIn, parameters, pairParameters, count }) => [
      target,
      `${dOut} × ${dIn}`,
      whole(parameters),
      whole(pairParameters),
      share(pairParameters / parameters),
      String(count),
    ]),
    style,
  );
}

function renderTraining({ training, choices, disk }: Plan, style: Style): string {
  const row = (title: string, value: (plan: TrainingPlan) => string): string[] => [title, value(training.full), value(training.lora)];
  const bytes = (title: string, part: (plan: TrainingPlan) => number): string[] => row(title, (plan) => formatBytes(part(plan)));
  return renderTable(
    columns('TRAINING', 'FULL'),
    [
      row('trained parameters', (plan) => formatCount(plan.trainedParameters)),
      row('of all', (plan) => share(plan.trainedShare)),
      bytes('weights', ({ memory }) => memory.weightBytes),
      bytes('gradients', ({ memory }) => memory.gradientBytes),
      bytes('optimizer states', ({ memory }) => memory.optimizerBytes),
      bytes('activations', ({ memory }) => memory.activationBytes),
      bytes('memory', ({ memory }) => memory.totalBytes).map(style.bold),
      bytes('file', ({ fileBytes }) => fileBytes),
      ...(choices.adapters === 1 ? [] : [[`${whole(choices.adapters)} files`, formatBytes(disk.fullBytes), formatBytes(disk.loraBytes)]]),
    ],
    style,
  );
}

function renderServing({ serving, choices }: Plan, style: Style): string {
  const { adapters, rows, context } = choices;
  const { baseBytes, adapterBytes, pagesBytes, adapterMemoryBytes, residentAdapters, kvBytes, kvLimitBytes, fullBytes, loraBytes } =
    serving;
  const [kv, pages] = [formatBytes(kvBytes), formatBytes(pagesBytes)];
  const setting = `BRAID_ADAPTER_MEMORY_MB of ${adapterMemoryBytes / 2 ** 20}`;
  const notes = [
    residentAdapters === 0
      ? `${setting} is less than the ${formatBytes(adapterBytes)} that an adapter takes: the hub would refuse it. Raise it.`
      : residentAdapters < adapters
        ? `${setting} holds ${whole(residentAdapters)} of the ${whole(adapters)} adapters at once; the others come when they are asked for.`
        : '',
    kvBytes > kvLimitBytes ? `The engine joins rows to at most ${formatBytes(kvLimitBytes)} of caches; the others wait.` : '',
  ].filter((note) => note !== '');
  const table = renderTable(
    columns(
      'SERVING',
      adapters === 1 ? 'ONE MODEL' : `${whole(adapters)} MODELS`,
      adapters === 1 ? 'ONE ADAPTER' : `${whole(adapters)} ADAPTERS`,
    ),
    [
      ['base', formatBytes(adapters * baseBytes), formatBytes(baseBytes)],
      ['pages', '–', pages],
      [`caches of ${rows} × ${context} tokens`, kv, kv],
      ['memory at most', formatBytes(fullBytes), formatBytes(loraBytes)].map(style.bold),
    ],
    style,
  );
  return `${table}${notes.map((note) => `${note}\n`).join('')}`;
}

function columns(title: string, full: string, lora = 'LORA'): { heading: string; align?: 'right' }[] {
  return [{ heading: title }, { heading: full, align: 'right' }, { heading: lora, align: 'right' }];
}

/** With commas: 45088768 → `45,088,768`. */
function whole(value: number): string {
  return value.toLocaleString('en-US');
}

function share(part: number): string {
  return `${(100 * part).toFixed(part < 0.1 ? 2 : 0)} %`;
}
