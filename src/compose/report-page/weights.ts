// The adapters of a composition: their weights as bars, and what each of them brings.
import type { CompositionPart, CompositionReport } from '../report.js';
import { drawSignedBar } from './bars.js';
import { type Markup, markup, named } from '#src/drawing/markup.js';
import { formatLoss, formatPlural, formatWeight, NOTHING } from './numbers.js';
import { table } from './table.js';

const MOST_PARTS = 64;

/** @param bound of the search: a weight there fills its bar */
export function renderWeights(parts: readonly CompositionPart[], { attribution }: CompositionReport, bound: number): Markup {
  if (parts.length === 0) return markup`<p>No adapter has a weight: the composition is the base model itself.</p>`;
  const gains = new Map(attribution.map(({ adapter, version, gain }) => [`${adapter}@${version}`, gain]));
  const hasGains = gains.size > 0;
  const limit = Math.max(bound, ...parts.map(({ weight }) => Math.abs(weight)));
  const sorted = [...parts].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const rows = sorted.slice(0, MOST_PARTS).map(({ adapter, version, weight }) => {
    const name = `${adapter}@${version}`;
    const gain = gains.get(name);
    const bar = drawSignedBar(weight, limit);
    return {
      cells: [named(name), formatWeight(weight), bar, ...(hasGains ? [gain === undefined ? NOTHING : rise(gain)] : [])],
    };
  });
  const hidden = sorted.length - rows.length;
  return markup`${table(
    'Adapters with their weights',
    [
      { heading: 'Adapter' },
      { heading: 'Weight', isNumber: true },
      { heading: markup`<span class="aloud">Weight as a bar</span>` },
      ...(hasGains ? [{ heading: 'Without it the objective', isNumber: true }] : []),
    ],
    rows,
  )}${hidden > 0 && markup`<p class="small">And ${formatPlural(hidden, 'more adapter')} with smaller weights.</p>`}${!hasGains && markup`<p class="small">What each adapter brings was not measured.</p>`}`;
}

function rise(gain: number | null): string {
  if (gain === null) return 'is not finite';
  return gain < 0 ? `falls by ${formatLoss(-gain)}` : `rises by ${formatLoss(gain)}`;
}
