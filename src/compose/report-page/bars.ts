// Bars as small drawings without text; the number that they show stands beside them, so they are hidden from those who hear the page.
import { type Markup, markup } from '#src/drawing/markup.js';

/** A bar around a middle line, negative values to the left; `limit` fills a side. */
export function drawSignedBar(value: number, limit: number): Markup {
  const size = share(Math.abs(value), limit);
  const isNegative = value < 0;
  return markup`<svg class="bar" viewBox="-100 0 200 14" preserveAspectRatio="none" aria-hidden="true"><rect class="${isNegative ? 'less' : 'more'}" x="${isNegative ? -size : 0}" y="2" width="${size}" height="10"/><rect class="middle" x="-0.5" y="0" width="1" height="14"/></svg>`;
}

/** A bar from the left; `full` fills it. */
export function drawBar(value: number, full: number): Markup {
  return markup`<svg class="bar" viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true"><rect class="more" x="0" y="2" width="${share(value, full)}" height="10"/></svg>`;
}

/** Of 100; what is there shows, what is not a number does not. */
function share(value: number, full: number): number {
  if (!(value > 0) || !(full > 0)) return 0;
  return Math.max(1, Math.round(Math.min(value / full, 1) * 1000) / 10);
}
