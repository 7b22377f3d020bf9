// An update as a picture: how much each module changes, layer by layer, and how the singular values of each class fall. One SVG, nothing fetched.
import { type Content, type Markup, markup } from '#src/drawing/markup.js';
import { linearTicks, px } from '#src/drawing/scales.js';
import type { ModuleSpectrumView, SpectraView } from '../hub-views.js';
import { groupByClass } from './by-class.js';
import { formatPercent, formatPlural, formatSignificant } from './quantities.js';

/** Pixels. */
const WIDTH = 860;
const LEFT = 110;
const RIGHT = 20;
const ROW = 24;
const PANEL = { width: 225, height: 120, gap: 27, perRow: 3 } as const;
/** The lowest value that is drawn, of the greatest: two decades tell a sharp fall from a flat spectrum. */
const LOWEST = 0.01;

const STYLE = `
svg { color-scheme: light dark; --ink: #1d1f24; --quiet: #5a5f6a; --paper: #fdfdfb; --rule: #dcdcd4; --accent: #1f5fae; background: var(--paper); }
@media (prefers-color-scheme: dark) { svg { --ink: #e6e7ea; --quiet: #a3a9b5; --paper: #15171b; --rule: #353a43; --accent: #82b4f5; } }
text { font: 12px system-ui, sans-serif; fill: var(--quiet); }
.title { font-size: 17px; font-weight: 600; fill: var(--ink); }
.heading { font-size: 13px; font-weight: 600; fill: var(--ink); }
.cell { fill: var(--accent); }
.frame { fill: none; stroke: var(--rule); }
.values { fill: none; stroke: var(--accent); stroke-width: 1.2; opacity: 0.55; }
`;

/** The whole file. Texts of the hub are escaped. */
export function drawSpectra(spectra: SpectraView): string {
  const { model, kind, base, norm, relativeNorm, modules } = spectra;
  const groups = [...groupByClass(modules)];
  const layers = 1 + Math.max(...modules.map(({ layer }) => layer));
  const map = { top: 90, height: ROW * groups.length };
  const panels = { top: map.top + map.height + 90, rows: Math.ceil(groups.length / PANEL.perRow) };
  const height = panels.top + panels.rows * (PANEL.height + 62) + 4;
  const facts = `${kind} for ${base}, ${formatPlural(modules.length, 'module')}, ‖ΔW‖ ${formatSignificant(norm)}, ${formatPercent(relativeNorm)} of the weights it changes`;
  return markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title facts">
<style>${STYLE}</style>
<text class="title" id="title" x="20" y="30">${model}</text>
<text id="facts" x="20" y="50">${facts}</text>
<text class="heading" x="20" y="78">‖ΔW‖/‖W₀‖, layer by layer</text>
${drawMap(groups, layers, map.top)}
<text class="heading" x="20" y="${panels.top - 18}">Singular values of each module, of its greatest (logarithmic, from 1 down to ${LOWEST})</text>
${groups.map(([name, group], i) => drawPanel(name, group, 20 + (i % PANEL.perRow) * (PANEL.width + PANEL.gap + 30), panels.top + Math.floor(i / PANEL.perRow) * (PANEL.height + 62)))}
</svg>
`.html;
}

/** A row a class, a column a layer, the darker the more is changed. */
function drawMap(groups: readonly (readonly [string, readonly ModuleSpectrumView[]])[], layers: number, top: number): Content {
  const width = WIDTH - LEFT - RIGHT;
  const cell = Math.min(width / layers, 40);
  const most = Math.max(...groups.flatMap(([, group]) => group.map(({ relativeNorm }) => relativeNorm)));
  const bottom = top + ROW * groups.length;
  return [
    groups.map(([name, group], row) => [
      text(LEFT - 8, top + ROW * row + 16, 'end', name),
      group.map(({ path, layer, relativeNorm }) => {
        const opacity = most > 0 ? Math.max(0.03, relativeNorm / most) : 0;
        return markup`<rect class="cell" x="${px(LEFT + layer * cell)}" y="${top + ROW * row + 1}" width="${px(cell - 1)}" height="${ROW - 2}" opacity="${opacity.toFixed(3)}"><title>${path}: ${formatPercent(relativeNorm)}</title></rect>`;
      }),
    ]),
    linearTicks(layers - 1, 16).map((layer) => text(LEFT + (layer + 0.5) * cell, bottom + 16, 'middle', String(layer))),
    text(LEFT, bottom + 36, 'start', `full colour: ${formatPercent(most)}`),
  ];
}

function drawPanel(name: string, group: readonly ModuleSpectrumView[], x: number, y: number): Content {
  const longest = Math.max(...group.map(({ values }) => values.length));
  const across = (i: number): number => x + (longest > 1 ? (i / (longest - 1)) * PANEL.width : 0);
  const down = (share: number): number => y + (Math.log(Math.max(share, LOWEST)) / Math.log(LOWEST)) * PANEL.height;
  const lines = group.flatMap(({ path, values }) => {
    const [greatest = 0] = values;
    if (!(greatest > 0)) return [];
    const points = values.map((value, i) => `${px(across(i))},${px(down(value / greatest))}`).join(' ');
    // A single direction is a point.
    return [
      values.length === 1
        ? markup`<circle class="cell" cx="${px(across(0))}" cy="${px(y)}" r="3"><title>${path}</title></circle>`
        : markup`<polyline class="values" points="${points}"><title>${path}</title></polyline>`,
    ];
  });
  return [
    markup`<rect class="frame" x="${px(x)}" y="${px(y)}" width="${PANEL.width}" height="${PANEL.height}"/>`,
    lines,
    text(x, y + PANEL.height + 18, 'start', `${name}: ${longest} direction${longest === 1 ? '' : 's'}`),
  ];
}

function text(x: number, y: number, anchor: 'start' | 'middle' | 'end', content: string): Markup {
  return markup`<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${content}</text>`;
}
