// The table of verdicts: what each method does with the examples, what to expect of it on new ones, and its price in tokens.
import type { Advice } from '../stages/verdict.js';
import { LIKELIHOOD_WORDS } from '../objectives/likelihood.js';
import type { CompositionReport } from '../report.js';
import { drawBar } from './bars.js';
import { capitalized, type Content, type Markup, markup, named } from './markup.js';
import { formatInterval, formatLoss, formatPercent, NOTHING } from './numbers.js';
import { table } from './table.js';

const METHODS = ['base', 'single', 'uniform', 'composed', 'prompted'] as const;
type Method = (typeof METHODS)[number];

const NAMES: Readonly<Record<Method, string>> = {
  base: 'Base alone',
  single: 'Best single adapter',
  uniform: 'All in equal parts',
  composed: 'Composed',
  prompted: 'Examples in the prompt',
};

/** The method that an advice is for. */
const ADVISED: Readonly<Record<Advice, Method | undefined>> = {
  base: 'base',
  single: 'single',
  uniform: 'uniform',
  compose: 'composed',
  prompt: 'prompted',
  nothing: undefined,
};

export function renderExpectations(report: CompositionReport): Markup {
  const single = bestSingle(report);
  const { success } = report.measures ?? LIKELIHOOD_WORDS;
  const losses: Readonly<Record<Method, number | null | undefined>> = {
    base: report.base.loss,
    single: single?.loss,
    uniform: report.uniform.loss,
    composed: report.composed.loss,
    prompted: undefined,
  };
  const notes: Partial<Record<Method, Content>> = { single: single && named(`${single.adapter}@${single.version}`) };
  const rows = METHODS.flatMap((method) => {
    const found = report.expected[method];
    if (found === undefined && method === 'prompted') return [];
    const isAdvised = ADVISED[report.advice] === method;
    const tokens = method === 'prompted' ? report.promptTokens.prompted : report.promptTokens.plain;
    return [
      {
        isMarked: isAdvised,
        cells: [
          markup`${NAMES[method]}${isAdvised && markup` <span class="tag">advised</span>`}${notes[method] && markup`<span class="note">${notes[method]}</span>`}`,
          formatLoss(losses[method]),
          found === undefined ? NOTHING : markup`${formatLoss(found.loss)}<span class="note">${formatInterval(found.interval)}</span>`,
          found === undefined ? NOTHING : markup`${formatPercent(found.success)}${drawBar(found.success, 1)}`,
          tokens === null ? NOTHING : String(Math.round(tokens)),
        ],
      },
    ];
  });
  return table(
    'What each method does with the task',
    [
      { heading: 'Method' },
      { heading: 'Loss on the examples', isNumber: true },
      { heading: 'Loss to expect', isNumber: true },
      { heading: `${capitalized(success)} to expect`, isNumber: true },
      { heading: 'Prompt tokens', isNumber: true },
    ],
    rows,
  );
}

/** The candidate that alone has the lowest objective. */
export function bestSingle({ singles }: CompositionReport): CompositionReport['singles'][number] | undefined {
  const measured = singles.filter(({ objective }) => objective !== null);
  return measured.sort((a, b) => (a.objective ?? Infinity) - (b.objective ?? Infinity)).at(0);
}
