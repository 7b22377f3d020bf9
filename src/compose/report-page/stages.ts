// What each stage of the search did and spent, and how every candidate does alone.
import type { CompositionReport, Recipe } from '../report.js';
import type { RetrieveReport } from '../stages/retrieve.js';
import { drawBar } from './bars.js';
import { type Content, type Markup, markup, named } from '#src/drawing/markup.js';
import { formatDuration, formatEvaluations, formatLoss, formatPlural, NOTHING } from './numbers.js';
import { table } from './table.js';

const MOST_KEPT = 6;
const MOST_SINGLES = 64;

const PURPOSES: Readonly<Record<string, string>> = {
  retrieve: 'candidates out of all adapters on the base',
  screen: 'every candidate alone: which are worth a search',
  search: 'weights in the span of those',
  prune: 'weights that do not earn their place are dropped',
  baselines: 'base, candidates alone, all in equal parts',
  recheck: 'what seems best, measured in float32',
  validate: 'chosen again without some examples, tried on those',
};

export function renderStages({ stages }: CompositionReport, { candidates, retrieval }: Recipe): Markup {
  const nameOf = (index: number): string => candidates[index]?.adapter ?? '?';
  return table(
    'What each stage of the search did and spent',
    [
      { heading: 'Stage' },
      { heading: 'By' },
      { heading: 'Evaluations', isNumber: true },
      { heading: 'Time', isNumber: true },
      { heading: 'Best objective', isNumber: true },
      { heading: 'Candidates that came out' },
    ],
    [
      ...(retrieval === undefined ? [] : [{ cells: retrievalCells(retrieval) }]),
      ...stages.map(({ stage, method, evaluations, seconds, bestObjective, kept }) => {
        const rest = kept.length - MOST_KEPT;
        const names = kept.slice(0, MOST_KEPT).map((index, i) => markup`${i > 0 && ', '}${named(nameOf(index))}`);
        return {
          cells: [
            stageCell(stage),
            method,
            formatEvaluations(evaluations),
            formatDuration(seconds),
            formatLoss(bestObjective),
            markup`<span class="names">${names}${rest > 0 && ` and ${rest} more`}</span>`,
          ],
        };
      }),
    ],
  );
}

/** Before the search, and not out of its budget. */
function retrievalCells({ method, seconds, kept, considered }: RetrieveReport): Content[] {
  const found = markup`<span class="names">${kept} of ${considered}</span>`;
  return [stageCell('retrieve'), method, NOTHING, formatDuration(seconds), NOTHING, found];
}

function stageCell(stage: string): Markup {
  const purpose = PURPOSES[stage];
  return markup`${stage}${purpose !== undefined && markup`<span class="note purpose">${purpose}</span>`}`;
}

/** The candidates that were scored on all examples, best first. */
export function renderSingles({ singles }: CompositionReport): Markup {
  const sorted = singles.filter(({ loss }) => loss !== null).sort((a, b) => (a.loss ?? 0) - (b.loss ?? 0));
  const shown = sorted.slice(0, MOST_SINGLES);
  const highest = Math.max(0, ...shown.map(({ loss }) => loss ?? 0));
  const hidden = singles.length - shown.length;
  return markup`${table(
    'Every candidate alone at weight 1',
    [
      { heading: 'Candidate' },
      { heading: 'Loss on the examples', isNumber: true },
      { heading: markup`<span class="aloud">Loss as a bar</span>` },
    ],
    shown.map(({ adapter, version, loss }) => ({
      cells: [named(`${adapter}@${version}`), formatLoss(loss), drawBar(loss ?? 0, highest)],
    })),
  )}${hidden > 0 && markup`<p class="small">${formatPlural(hidden, 'candidate')} more, worse or not measured on all examples.</p>`}`;
}
