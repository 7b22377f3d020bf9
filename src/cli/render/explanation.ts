// How a composition came to be: what each stage of the search did and spent, what each adapter brings, and what to expect of each method.
import { type CompositionView } from '../hub-views.js';
import { printableLine, type Style } from '../terminal.js';
import { formatDuration, formatLoss, formatWeight } from './quantities.js';
import { measuresOf } from './measures.js';
import { renderTable } from './table.js';

const METHODS = {
  base: 'base',
  single: 'best single',
  uniform: 'uniform',
  prompted: 'prompted',
  singlePrompted: 'best single, prompted',
  uniformPrompted: 'uniform, prompted',
  composed: 'composed',
} as const;
/** Behind examples, where the composition has some of its own. */
const COMPOSED_PROMPTED = 'composed, prompted';

/** Three tables; those that an older composition has nothing for are left out. */
export function renderExplanation({ report, recipe }: CompositionView, style: Style): string {
  const names = recipe.candidates.map(({ adapter }) => printableLine(adapter));
  const stages = renderTable(
    [
      { heading: 'STAGE' },
      { heading: 'BY' },
      { heading: 'EVALUATIONS', align: 'right' },
      { heading: 'TIME', align: 'right' },
      { heading: 'OBJECTIVE', align: 'right' },
      { heading: 'CANDIDATES' },
    ],
    [
      ...retrieved(recipe, style),
      ...report.stages.map(({ stage, method, evaluations, seconds, bestObjective, kept }) => [
        stage,
        method,
        evaluations.toFixed(1),
        formatDuration(seconds * 1000),
        formatLoss(bestObjective ?? Number.NaN),
        style.dim(listed(kept.map((index) => names[index] ?? '?'))),
      ]),
      ...(report.unprompted === undefined ? [] : [['unprompted', 'halving', report.unprompted.evaluations.toFixed(1), '', '', '']]),
    ],
    style,
  );
  const expected = renderTable(
    [
      { heading: 'TO EXPECT' },
      { heading: 'LOSS', align: 'right' },
      { heading: '80 % INTERVAL', align: 'right' },
      { heading: measuresOf(report).success.toUpperCase(), align: 'right' },
      { heading: 'PROMPT', align: 'right' },
    ],
    (Object.keys(METHODS) as (keyof typeof METHODS)[]).flatMap((method) => {
      const found = report.expected[method];
      if (found === undefined) return [];
      const isPrompted = method === 'composed' ? report.unprompted !== undefined : /prompted$/i.test(method);
      const tokens = isPrompted ? report.promptTokens.prompted : report.promptTokens.plain;
      const name = method === 'composed' && isPrompted ? COMPOSED_PROMPTED : METHODS[method];
      const interval = found.interval.map((bound) => formatLoss(bound < 1e6 ? bound : Number.NaN)).join(' … ');
      return [[name, formatLoss(found.loss), interval, `${Math.round(found.success * 100)} %`, `${Math.round(tokens ?? 0)} tokens`]];
    }),
    style,
  );
  const attribution = renderTable(
    [{ heading: 'WITHOUT IT' }, { heading: 'WEIGHT', align: 'right' }, { heading: 'OBJECTIVE RISES BY', align: 'right' }],
    report.attribution.map(({ adapter, version, weight, gain }) => [
      printableLine(`${adapter}@${version}`),
      formatWeight(weight),
      gain === null ? 'not finite' : formatLoss(gain),
    ]),
    style,
  );
  return `\n${stages}\n${expected}${report.attribution.length > 0 ? `\n${attribution}` : ''}`;
}

/** What came before the job: which of all adapters on the base became candidates. */
function retrieved({ retrieval }: CompositionView['recipe'], style: Style): string[][] {
  if (retrieval === undefined) return [];
  const { method, seconds, considered, kept } = retrieval;
  return [['retrieve', method, '', formatDuration(seconds * 1000), '', style.dim(`${kept} of ${considered}`)]];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
