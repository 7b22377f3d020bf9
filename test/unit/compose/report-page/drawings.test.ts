// The curve and what it stands on: ticks, labels apart from one another, coordinates inside the drawing; and texts made shorter.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawSignedBar } from '#src/compose/report-page/bars.js';
import { drawCurve, type LossCurve } from '#src/compose/report-page/curve.js';
import { markup, shortened } from '#src/drawing/markup.js';
import { formatLoss, formatPercent } from '#src/compose/report-page/numbers.js';
import { linearTicks, logarithmicTicks, spaced, stacked } from '#src/drawing/scales.js';

const frame = { width: 760, height: 340, id: 'wide' };
const curve: LossCurve = {
  points: [
    { evaluations: 2, loss: 4 },
    { evaluations: 30, loss: 0.5 },
    { evaluations: 80, loss: 0.02 },
  ],
  stages: [
    { stage: 'screen', evaluations: 10 },
    { stage: 'search', evaluations: 85 },
    { stage: 'prune', evaluations: 1 },
    { stage: 'baselines', evaluations: 2 },
    { stage: 'validate', evaluations: 0 },
  ],
  evaluations: 98,
  levels: [
    { label: 'base', loss: 10 },
    { label: 'best single', loss: 4 },
    { label: 'uniform', loss: 4.1 },
    { label: 'unknown', loss: null },
  ],
  unit: 'nats per answer token',
};

function svgOf(drawn: LossCurve): string {
  const found = drawCurve(drawn, frame);
  assert.ok(found);
  return found.html;
}

describe('the curve', () => {
  it('falls on a logarithmic scale, step by step, and goes on to the last evaluation', () => {
    const svg = svgOf({ ...curve, levels: [] });
    const [, path = ''] = /<path class="best" d="([^"]+)"/.exec(svg) ?? [];
    const [, x0, y0, x1, y1, x2, y2, end] = (/^M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)H([\d.]+)V([\d.]+)H([\d.]+)$/.exec(path) ?? []).map(
      Number,
    );
    assert.ok(
      x0 !== undefined &&
        y0 !== undefined &&
        x1 !== undefined &&
        y1 !== undefined &&
        x2 !== undefined &&
        y2 !== undefined &&
        end !== undefined,
      path,
    );
    const plot = end - 52;
    for (const [x, evaluations] of [
      [x0, 2],
      [x1, 30],
      [x2, 80],
    ] as const) {
      assert.ok(Math.abs(x - 52 - (plot * evaluations) / 98) < 0.2);
    }
    const perDecade = (y1 - y0) / Math.log10(4 / 0.5);
    assert.ok(perDecade > 0 && Math.abs((y2 - y1) / Math.log10(0.5 / 0.02) - perDecade) < 0.2);
  });

  it('marks the stages that spent something; names and levels do not lie on one another', () => {
    const svg = svgOf(curve);
    const names = [...svg.matchAll(/<text class="stage" x="([\d.]+)" y="([\d.]+)"[^>]*>(\w+)</g)].map(([, x, y, name = '']) => ({
      x: Number(x),
      y: Number(y),
      name,
    }));
    assert.deepEqual(
      names.map(({ name }) => name),
      ['screen', 'search', 'prune', 'baselines'],
    );
    const overlaps = names.some((a, i) =>
      names.slice(i + 1).some((b) => a.y === b.y && Math.abs(a.x - b.x) < ((a.name.length + b.name.length) / 2) * 6),
    );
    assert.ok(!overlaps, JSON.stringify(names));
    assert.equal(svg.match(/<rect class="(?:band|gap)"/g)?.length, 4);
    const levels = [...svg.matchAll(/<text class="level-name" x="[\d.]+" y="([\d.]+)"[^>]*>([^<]+)</g)]
      .map(([, y]) => Number(y))
      .sort((a, b) => a - b);
    assert.equal(levels.length, 3, 'one that is not finite is left out');
    assert.ok(levels.every((y, i) => i === 0 || y - (levels[i - 1] ?? 0) >= 14.9));
  });

  it('stays inside its frame whatever the losses', () => {
    for (const losses of [[0], [1e-300], [3, 3], [1e300, 1], [Infinity, 2, NaN], [1.0001, 1]]) {
      const svg = svgOf({ ...curve, points: losses.map((loss, i) => ({ evaluations: i + 1, loss })) });
      assert.ok(!/NaN|Infinity|undefined/.test(svg), svg);
      for (const [, name = '', value] of svg.matchAll(/\s(x|y|x1|x2|y1|y2|cx|cy)="(-?[\d.e+]+)"/g)) {
        const most = name.includes('x') ? frame.width : frame.height;
        assert.ok(Number(value) >= 0 && Number(value) <= most, `${String(losses)}: ${name}=${value}`);
      }
    }
    assert.equal(drawCurve({ ...curve, points: [{ evaluations: 1, loss: NaN }] }, frame), undefined);
  });
});

describe('scales', () => {
  it('ticks are round, inside, and few', () => {
    assert.deepEqual(logarithmicTicks({ from: 0.8, to: 12 }), [1, 2, 5, 10]);
    for (const [from, to] of [
      [1e-4, 1e9],
      [1.001, 1.32],
      [0.9, 1.4],
      [3e-4, 12],
      [1, 1.3],
    ] as const) {
      const ticks = logarithmicTicks({ from, to });
      assert.ok(ticks.length >= 1 && ticks.length <= 8, `${from}…${to}: ${ticks.join(' ')}`);
      assert.ok(ticks.every((tick) => tick >= from - 1e-12 && tick <= to + 1e-12));
    }
    assert.deepEqual(linearTicks(98, 8), [0, 20, 40, 60, 80]);
    assert.deepEqual(linearTicks(1, 8), [0, 1]);
    assert.ok(linearTicks(1e6, 8).length <= 9);
  });

  it('labels keep their distance and their order', () => {
    assert.deepEqual(spaced([10, 12, 50], 15, { from: 0, to: 100 }), [10, 25, 50]);
    assert.deepEqual(spaced([99, 98], 15, { from: 0, to: 100 }), [100, 85]);
    assert.deepEqual(spaced([], 15, { from: 0, to: 100 }), []);
    const placed = stacked(
      [10, 12, 300].map((middle) => ({ middle, width: 40 })),
      { from: 0, to: 310 },
    );
    assert.deepEqual(placed, [
      { middle: 20, row: 0 },
      { middle: 20, row: 1 },
      { middle: 290, row: 0 },
    ]);
  });

  it('a bar goes to the side of its sign and never beyond its limit', () => {
    assert.match(drawSignedBar(-0.75, 1.5).html, /class="less" x="-50" y="2" width="50"/);
    assert.match(drawSignedBar(9, 1.5).html, /class="more" x="0" y="2" width="100"/);
    assert.match(drawSignedBar(0.0001, 1.5).html, /width="1"/);
    assert.match(drawSignedBar(NaN, 1.5).html, /width="0"/);
  });
});

describe('texts and numbers', () => {
  it('a template escapes what is put into it, markup aside', () => {
    const inner = markup`<b>${'<&>'}</b>`;
    assert.equal(
      markup`<p title="${'"\''}">${[inner, undefined, false, 0, '\r\n\u0007']}</p>`.html,
      '<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b>0\n\ufffd</p>',
    );
  });

  it('the middle of a long text is left out, no character is cut in two', () => {
    assert.equal(shortened('short', 5), 'short');
    assert.equal(shortened('abcdefghij', 4), 'ab … 6 more characters … ij');
    const emoji = shortened('😀'.repeat(10), 6);
    assert.ok(!/\p{Surrogate}/u.test(emoji), emoji);
  });

  it('numbers read well at every size', () => {
    assert.deepEqual([0, 0.00001, 1.23456, 12.5, 12345.6, 1e12, null, NaN, Number.MAX_VALUE].map(formatLoss), [
      '0.0000',
      '< 0.0001',
      '1.2346',
      '12.5000',
      '12346',
      '1.0e+12',
      '–',
      '–',
      '–',
    ]);
    assert.deepEqual([0, 0.001, 0.5, 0.999, 1].map(formatPercent), ['0 %', '< 1 %', '50 %', '> 99 %', '100 %']);
  });
});
