// How the page looks: one style sheet, light and dark, for desk, phone and paper. No fonts or pictures are fetched.
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --raised: #f4f4ef; --ink: #1d1f24; --quiet: #5a5f6a; --rule: #dcdcd4;
  --accent: #1f5fae; --accent-soft: #e6eef8; --less: #b1521a; --good: #1d6b3a; --bad: #a33030;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171b; --raised: #1e2127; --ink: #e6e7ea; --quiet: #a3a9b5; --rule: #353a43;
    --accent: #82b4f5; --accent-soft: #1d2b40; --less: #eda36b; --good: #7fce9b; --bad: #f09a9a;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink); }
main { max-width: 52rem; margin: 0 auto; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { margin: 3.25rem 0 0.4rem; font-size: 1.25rem; letter-spacing: -0.01em; }
h3 { margin: 0 0 0.6rem; font-size: 1rem; }
p { margin: 0.4rem 0; max-width: 42rem; }
.kicker { color: var(--quiet); font-size: 0.875rem; }
.version { color: var(--quiet); font-weight: 400; }
.facts, .lead, .small, .note, footer { color: var(--quiet); }
.facts { max-width: none; overflow-wrap: anywhere; }
.small, .note, footer { font-size: 0.8125rem; }
.note { display: block; font-weight: 400; }
.verdict { margin: 1.75rem 0 0; padding: 1rem 1.25rem; background: var(--accent-soft); border-left: 4px solid var(--accent); border-radius: 0 6px 6px 0; }
.verdict h2 { margin: 0; font-size: 1.25rem; }
.verdict p { max-width: none; overflow-wrap: anywhere; }
.scroll { margin: 0.8rem 0; overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.45rem 1rem 0.45rem 0; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--quiet); font-size: 0.8125rem; font-weight: 500; line-height: 1.3; vertical-align: bottom; }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
thead .number { white-space: normal; }
.marked th, .marked td { background: var(--accent-soft); }
.marked th:first-child { box-shadow: -0.6rem 0 0 var(--accent-soft); }
.marked td:last-child { box-shadow: 0.6rem 0 0 var(--accent-soft); }
.scroll:has(.marked) { padding: 0 0.6rem; margin-left: -0.6rem; margin-right: -0.6rem; }
.tag { display: inline-block; padding: 0 0.45em; border: 1px solid currentColor; border-radius: 1em; color: var(--accent); font-size: 0.75rem; white-space: nowrap; }
.names { display: block; min-width: 11rem; color: var(--quiet); font-size: 0.8125rem; }
.bar { display: block; width: 100%; min-width: 5rem; height: 0.875rem; margin-top: 0.3rem; }
.number .bar { min-width: 3rem; height: 0.5rem; margin-top: 0.15rem; }
.more { fill: var(--accent); } .less { fill: var(--less); } .middle { fill: var(--quiet); }
figure { margin: 1rem 0; }
figcaption { color: var(--quiet); font-size: 0.8125rem; }
.curve { display: block; width: 100%; height: auto; font-size: 12px; }
.curve text { fill: var(--quiet); stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
.curve .stage { fill: var(--ink); }
.narrow { display: none; }
.band { fill: var(--raised); } .gap { fill: none; }
.grid { stroke: var(--rule); } .axis-line { stroke: var(--quiet); }
.pointer { stroke: var(--quiet); stroke-width: 0.75; }
.level { stroke: var(--quiet); stroke-dasharray: 4 4; }
.best { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.dot { fill: var(--accent); }
.example { margin: 1.1rem 0; padding: 1rem 1.1rem 0.3rem; border: 1px solid var(--rule); border-radius: 6px; }
.example table { font-size: 0.875rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1rem; margin: 0; font-size: 0.9375rem; }
dt { color: var(--quiet); font-size: 0.8125rem; padding-top: 0.15rem; }
dd { margin: 0; min-width: 0; }
.text, .answer, .line { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875em; white-space: pre-wrap; overflow-wrap: anywhere; }
.text { max-height: 16rem; overflow-y: auto; }
.answer, .line { background: var(--raised); border-radius: 3px; padding: 0.1em 0.15em; }
.role { color: var(--quiet); }
.break { color: var(--quiet); }
.yes { color: var(--good); } .no { color: var(--bad); }
.aloud { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
details { margin: 2rem 0 0; }
summary { cursor: pointer; font-weight: 500; }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  table, .example table { font-size: 0.8125rem; }
  th, td { padding-right: 0.5rem; }
  thead th, .note, .names { font-size: 0.75rem; }
  tbody th { min-width: 5.25rem; }
  .purpose { min-width: 9rem; }
  .bar, .number .bar { min-width: 2rem; }
  .wide { display: none; } .narrow { display: block; }
  dl { grid-template-columns: 1fr; gap: 0.1rem; }
  dd { margin-bottom: 0.4rem; }
  .example { padding: 0.8rem 0.85rem 0.1rem; }
}
@media print {
  :root { --paper: #fff; --raised: #f2f2f2; --ink: #000; --quiet: #444; --rule: #bbb; --accent: #1f5fae; --accent-soft: #fff; --less: #b1521a; --good: #000; --bad: #000; }
  html { font-size: 10pt; }
  body { padding: 0; }
  .scroll, .text { overflow: visible; max-height: none; }
  .example, tr, figure, .verdict { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
`;
