// What a hub is doing now, as one frame of `braid top`.
import { type HubStatsView, type ModelStatsView } from '../hub-views.js';
import { printableLine, type Terminal } from '../terminal.js';
import { bar } from './bars.js';
import { formatBytes, formatDuration, formatPercent, formatPlural, formatSignificant } from './quantities.js';
import { renderFields, renderTable } from './table.js';

const BAR = 10;

export interface FrameSize {
  /** Lines that the frame may have; rows that do not fit are counted instead. @default all */
  readonly lines?: number | undefined;
}

export function renderTop(stats: HubStatsView, url: string, { style, columns }: Terminal, { lines = Infinity }: FrameSize = {}): string {
  const head = `${style.bold(`braid ${printableLine(stats.version)}`)} at ${url}, up ${formatDuration(stats.uptimeMs)}${jobsOf(stats)}\n`;
  const models =
    stats.models.length === 0
      ? `\n${style.dim('No base model has been asked yet.')}\n`
      : stats.models.map((model) => renderModel(model, { style })).join('');
  const above = `${head}${models}\n`;
  if (stats.rowCount === 0) return `${above}${style.dim('No answers under way.')}\n`;
  // Without the headings, and a line that counts what is left out.
  const room = Math.max(0, lines - above.split('\n').length - 2);
  const rows = stats.rows.slice(0, room);
  const table = renderTable(
    [
      { heading: 'STATE' },
      { heading: 'PROMPT', align: 'right' },
      { heading: 'TOKENS', align: 'right' },
      { heading: 'PER SECOND', align: 'right' },
      { heading: 'AGE', align: 'right' },
      { heading: 'MODEL' },
    ],
    rows.map(({ state, promptTokens, tokens, tokensPerSecond, ageMs, model, adapter }) => [
      state === 'waiting' ? style.yellow(state) : style.green(state),
      String(promptTokens),
      String(tokens),
      tokensPerSecond === 0 ? '–' : formatSignificant(tokensPerSecond),
      formatDuration(ageMs),
      printableLine(adapter === '' ? model : adapter === 'mixture' ? `mixture on ${model}` : adapter),
    ]),
    style,
    columns,
  );
  const left = stats.rowCount - rows.length;
  return `${above}${table}${left === 0 ? '' : `${style.dim(`and ${formatPlural(left, 'answer')} more under way`)}\n`}`;
}

function renderModel(model: ModelStatsView, { style }: Pick<Terminal, 'style'>): string {
  const { lastMinute: minute, workerRestarts } = model;
  const background = model.backgroundRunning + model.backgroundWaiting;
  const adapters = `${model.adapters} in ${formatPlural(model.adapterPages, 'page')}, ${model.adapterLoads} loaded, ${model.adapterEvictions} given up`;
  return `\n${style.bold(printableLine(model.name))}\n${renderFields(
    [
      ['rows', `${model.running} running, ${model.waiting} waiting${background === 0 ? '' : `, ${background} of searches`}`],
      [
        'tokens',
        `${formatSignificant(minute.generationTokensPerSecond)}/s written, ${formatSignificant(minute.promptTokensPerSecond)}/s read`,
      ],
      ['first token', latencyOf(minute.firstTokenMs)],
      ['between', latencyOf(minute.betweenTokensMs)],
      ['answers', `${minute.answers} in the last minute`],
      ['kv cache', useOf(model.cacheBytes, model.cacheLimitBytes)],
      ['adapters', adapters],
      ['', useOf(model.adapterBytes, model.adapterLimitBytes)],
      ['worker', workerRestarts === 0 ? undefined : style.red(`died ${formatPlural(workerRestarts, 'time')}`)],
    ],
    style,
  )}`;
}

function useOf(bytes: number, limitBytes: number): string {
  return `${bar(bytes, limitBytes, BAR).padEnd(BAR)} ${formatPercent(bytes / limitBytes)} of ${formatBytes(limitBytes)}`;
}

function latencyOf(percentiles: { readonly p50: number; readonly p99: number } | null): string {
  return percentiles === null ? '–' : `${formatSignificant(percentiles.p50)} ms, p99 ${formatSignificant(percentiles.p99)} ms`;
}

function jobsOf({ jobs }: HubStatsView): string {
  if (jobs === null) return ', the database does not answer';
  const { running = 0, queued = 0 } = jobs;
  return running + queued === 0 ? '' : `, ${formatPlural(running, 'job')} running, ${queued} queued`;
}
