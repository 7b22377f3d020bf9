// A composition as a page: its weights as bars, its loss against the baselines, the search as a curve, and how to call it.
import { type CompositionView, type CurvePoint } from '../hub-views.js';
import { printableJson, printableLine, type Style, type Terminal } from '../terminal.js';
import { bar, signedBar } from './bars.js';
import { formatAge, formatDuration, formatLoss, formatPlural, formatWeight } from './quantities.js';
import { lossCurve } from './sparkline.js';
import { renderExplanation } from './explanation.js';
import { measuresOf } from './measures.js';
import { renderTable } from './table.js';

// Parts that round to 0.00 say nothing to a reader.
const SHOWN_WEIGHT = 0.005;
const BAR_SIDE = 10;
const LOSS_BAR = 24;
const CURVE_WIDTH = 40;
/** LoraHub's bounds, where the recipe names none; a weight beyond them fills its bar. */
const WEIGHT_LIMIT = 1.5;

export interface CompositionPage {
  readonly composition: CompositionView;
  /** Where the hub is, for the call shown. */
  readonly hubUrl: string;
  /** Put into the call shown. */
  readonly prompt: string;
  /** Also what each stage of the search did and spent, and what to expect of each method. */
  readonly explain?: boolean;
}

export function renderComposition(
  { composition, hubUrl, prompt, explain = false }: CompositionPage,
  terminal: Terminal,
  now = new Date(),
): string {
  const { style } = terminal;
  const name = `${composition.name}@${composition.version}`;
  return [
    `${style.bold(name)}  ${style.dim(`composition for ${composition.baseModel}, ${formatAge(new Date(composition.createdAt), now)}`)}\n`,
    renderPrompt(composition, style),
    renderWeights(composition, style),
    renderLosses(composition, style),
    renderSearchLine(composition, style),
    explain ? renderExplanation(composition, style) : '',
    `\n${style.dim('Call it:')}\n${isChat(composition) ? chatCurlLine(hubUrl, composition.name) : curlLine(hubUrl, composition.name, prompt)}\n`,
  ].join('');
}

/** What goes in front of every request. */
function renderPrompt({ prompt }: CompositionView, style: Style): string {
  if (prompt === null) return '';
  const examples = formatPlural(prompt.examples.length, 'example');
  return `\n${style.dim('PROMPT')}  ${examples} in front of every request, ${formatPlural(prompt.tokens, 'token')}\n`;
}

/** Its examples are turns, so that it answers conversations alone. */
function isChat({ prompt }: CompositionView): boolean {
  return prompt?.examples.some(({ prompt: text }) => typeof text !== 'string') ?? false;
}

function renderWeights({ parts, recipe }: CompositionView, style: Style): string {
  const shown = parts.filter(({ weight }) => Math.abs(weight) >= SHOWN_WEIGHT).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  if (shown.length === 0) return '\nNo adapter helped: the composition is the base model itself.\n';
  const limit = Math.max(objectiveOf(recipe).bound ?? WEIGHT_LIMIT, ...shown.map(({ weight }) => Math.abs(weight)));
  const table = renderTable(
    [{ heading: 'ADAPTER' }, { heading: 'WEIGHT', align: 'right' }, { heading: '' }],
    shown.map((part) => [
      `${part.adapter}@${part.version}`,
      formatWeight(part.weight),
      paint(signedBar(part.weight, limit, BAR_SIDE), part.weight, style),
    ]),
    style,
  );
  const hidden = parts.length - shown.length;
  return `\n${table}${hidden > 0 ? style.dim(`${formatPlural(hidden, 'more part')} at ${formatWeight(0).trim()}\n`) : ''}`;
}

function paint(text: string, weight: number, style: Style): string {
  return weight < 0 ? style.yellow(text) : style.green(text);
}

function renderLosses({ report, recipe }: CompositionView, style: Style): string {
  const single = bestSingle(report);
  const { unit, of } = measuresOf(report);
  const { unprompted } = report;
  const mark = unprompted === undefined ? '' : ', prompted';
  const rows = [
    ...(unprompted === undefined
      ? []
      : [
          { name: 'base', loss: unprompted.base.loss, note: '' },
          { name: 'best single', loss: unprompted.single?.loss ?? null, note: nameOf(unprompted.single) },
        ]),
    { name: `base${mark}`, loss: report.base.loss, note: '' },
    { name: `best single${mark}`, loss: single?.loss ?? null, note: nameOf(single) },
    { name: `uniform${mark}`, loss: report.uniform.loss, note: `all ${recipe.candidates.length} candidates in equal parts` },
    { name: `composed${mark}`, loss: report.composed.loss, note: '', isResult: true },
  ];
  const highest = Math.max(...rows.map(({ loss }) => loss ?? 0));
  const table = renderTable(
    [{ heading: 'LOSS' }, { heading: unit.toUpperCase(), align: 'right' }, { heading: '' }, { heading: '' }],
    rows.map(({ name, loss, note, isResult = false }) => {
      const drawn = bar(loss ?? 0, highest, LOSS_BAR);
      return [isResult ? style.bold(name) : name, formatLoss(loss ?? Number.NaN), isResult ? style.green(drawn) : drawn, style.dim(note)];
    }),
    style,
  );
  const examples = formatPlural(recipe.examples.count, 'example');
  const behind = recipe.shots === undefined ? '' : `; prompted is behind ${formatPlural(recipe.shots.count, 'other')}`;
  return `\n${table}${style.dim(`${of}, on ${examples} (${formatPlural(recipe.examples.answerTokens, 'token')})${behind}`)}\n\n${printableLine(report.verdict)}\n`;
}

function nameOf(single: { readonly adapter: string; readonly version: string } | null | undefined): string {
  return single === undefined || single === null ? '' : `${single.adapter}@${single.version}`;
}

/** The candidate that alone has the lowest objective. */
export function bestSingle({ singles }: CompositionView['report']): CompositionView['report']['singles'][number] | undefined {
  return [...singles].sort((a, b) => (a.objective ?? Infinity) - (b.objective ?? Infinity)).at(0);
}

function renderSearchLine({ report, recipe }: CompositionView, style: Style): string {
  const facts = [
    `${Math.ceil(report.evaluations)} of ${report.budget} evaluations`,
    `${recipe.strategy.search}, seed ${recipe.seed}`,
    ...(recipe.space === 'factor' ? ['factor space'] : []),
    ...(recipe.precision === undefined ? [] : [`by ${recipe.precision} estimates`]),
    ...objectiveFacts(recipe),
    formatDuration(report.seconds * 1000),
  ];
  const values = curveValues(report.curve, report.evaluations);
  const first = values.find(Number.isFinite);
  const drawn =
    first === undefined
      ? ''
      : `${formatLoss(first)} ${style.cyan(lossCurve(values, CURVE_WIDTH))} ${formatLoss(values.at(-1) ?? Number.NaN)}\n`;
  return `\n${style.dim(`SEARCH  ${facts.join(', ')}`)}\n${drawn}`;
}

/** What of the objective is not as it is without being asked for. */
function objectiveFacts(recipe: CompositionView['recipe']): string[] {
  const { name = 'likelihood', regularisation = 0.05, bound = WEIGHT_LIMIT } = objectiveOf(recipe);
  return [
    ...(name === 'likelihood' ? [] : [`objective ${name}`]),
    ...(regularisation === 0.05 ? [] : [`regularisation ${regularisation}`]),
    ...(bound === WEIGHT_LIMIT ? [] : [`weights within ±${bound}`]),
  ];
}

/** Recipes from before there were several objectives name less. */
function objectiveOf({ objective }: CompositionView['recipe']): Partial<CompositionView['recipe']['objective']> {
  return objective ?? {};
}

/** The best loss so far after each evaluation, from the points where it improved. */
export function curveValues(points: readonly CurvePoint[], evaluations: number): number[] {
  const values = new Array<number>(Math.ceil(evaluations)).fill(Number.NaN);
  for (const [i, point] of points.entries()) {
    values.fill(point.loss, Math.max(0, Math.ceil(point.evaluations) - 1), Math.ceil(points[i + 1]?.evaluations ?? evaluations));
  }
  return values;
}

/** A shell line that asks the hub for a completion. */
export function curlLine(hubUrl: string, model: string, prompt: string): string {
  const body = printableJson({ model, prompt, max_tokens: 32, temperature: 0 });
  return `curl ${shellQuoted(`${hubUrl}/v1/completions`)} -H 'content-type: application/json' -d ${shellQuoted(body)}`;
}

function chatCurlLine(hubUrl: string, model: string): string {
  const body = printableJson({ model, messages: [{ role: 'user', content: '…' }], max_tokens: 32, temperature: 0 });
  return `curl ${shellQuoted(`${hubUrl}/v1/chat/completions`)} -H 'content-type: application/json' -d ${shellQuoted(body)}`;
}

function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}
