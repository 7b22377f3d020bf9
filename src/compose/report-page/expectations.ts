// The table of verdicts: what each method does with the examples, what to expect of it on new ones, and its price in tokens.
import type { Advice } from '../stages/verdict.js';
import { LIKELIHOOD_WORDS } from '../objectives/likelihood.js';
import type { CompositionReport, UnpromptedReport } from '../report.js';
import { drawBar } from './bars.js';
import { capitalized, type Content, type Markup, markup, named } from '#src/drawing/markup.js';
import { formatInterval, formatLoss, formatPercent, NOTHING } from './numbers.js';
import { table } from './table.js';

type Method = keyof CompositionReport['expected'];

const NAMES: Readonly<Record<Method, string>> = {
  base: 'Base alone',
  single: 'Best single adapter',
  uniform: 'All in equal parts',
  composed: 'Composed',
  prompted: 'Examples in the prompt',
  singlePrompted: 'Best single adapter',
  uniformPrompted: 'All in equal parts',
};
/** Rows of a search on plain examples, and of one with examples in front of each. */
const PLAIN: readonly Method[] = ['base', 'single', 'uniform', 'composed', 'prompted'];
const PROMPTED: readonly Method[] = ['base', 'single', 'prompted', 'singlePrompted', 'uniformPrompted', 'composed'];

/** The method that an advice is for. */
const ADVISED: Readonly<Record<Advice, Method | undefined>> = {
  base: 'base',
  single: 'single',
  uniform: 'uniform',
  compose: 'composed',
  prompt: 'prompted',
  'single-prompted': 'singlePrompted',
  'uniform-prompted': 'uniformPrompted',
  nothing: undefined,
};

export function renderExpectations(report: CompositionReport): Markup {
  const { success } = report.measures ?? LIKELIHOOD_WORDS;
  const { losses, notes, isPrompted } = report.unprompted === undefined ? plainFacts(report) : promptedFacts(report, report.unprompted);
  const rows = (report.unprompted === undefined ? PLAIN : PROMPTED).flatMap((method) => {
    const found = report.expected[method];
    if (found === undefined && method === 'prompted') return [];
    const isAdvised = ADVISED[report.advice] === method;
    const tokens = isPrompted(method) ? report.promptTokens.prompted : report.promptTokens.plain;
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

interface MethodFacts {
  /** On the examples themselves. */
  readonly losses: Partial<Record<Method, number | null | undefined>>;
  readonly notes: Partial<Record<Method, Content>>;
  readonly isPrompted: (method: Method) => boolean;
}

function plainFacts(report: CompositionReport): MethodFacts {
  const single = bestSingle(report);
  return {
    losses: { base: report.base.loss, single: single?.loss, uniform: report.uniform.loss, composed: report.composed.loss },
    notes: { single: nameOf(single) },
    isPrompted: (method) => method === 'prompted',
  };
}

/** What the search measured has the examples in front. */
function promptedFacts(report: CompositionReport, unprompted: UnpromptedReport): MethodFacts {
  const single = bestSingle(report);
  const inFront = 'the examples in front';
  return {
    losses: {
      base: unprompted.base.loss,
      single: unprompted.single?.loss,
      prompted: report.base.loss,
      singlePrompted: single?.loss,
      uniformPrompted: report.uniform.loss,
      composed: report.composed.loss,
    },
    notes: {
      single: nameOf(unprompted.single),
      singlePrompted: markup`${nameOf(single)}${single && ', '}${inFront}`,
      uniformPrompted: inFront,
      composed: inFront,
    },
    isPrompted: (method) => method !== 'base' && method !== 'single',
  };
}

function nameOf(single: { readonly adapter: string; readonly version: string } | null | undefined): Content {
  return single ? named(`${single.adapter}@${single.version}`) : undefined;
}

/** The candidate that alone has the lowest objective. */
export function bestSingle({ singles }: CompositionReport): CompositionReport['singles'][number] | undefined {
  const measured = singles.filter(({ objective }) => objective !== null);
  return measured.sort((a, b) => (a.objective ?? Infinity) - (b.objective ?? Infinity)).at(0);
}
