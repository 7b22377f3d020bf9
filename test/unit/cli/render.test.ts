// The pure pieces of the terminal's output: numbers, curves, bars, tables, colours.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bar, signedBar } from '#src/cli/render/bars.js';
import { formatAge, formatBytes, formatCount, formatDuration, formatLoss, formatPlural, formatWeight } from '#src/cli/render/quantities.js';
import { lossCurve, sparkline } from '#src/cli/render/sparkline.js';
import { cut, renderFields, renderTable } from '#src/cli/render/table.js';
import { createTerminal, printable, printableLine, styleFor } from '#src/cli/terminal.js';

const plain = styleFor({ write: () => true }, {});
const coloured = styleFor({ write: () => true, isTTY: true }, { TERM: 'xterm' });

describe('quantities', () => {
  it('gives sizes three digits and a decimal unit', () => {
    const cases: readonly [number, string][] = [
      [0, '0 B'],
      [999, '999 B'],
      [999.6, '1.00 kB'],
      [1234, '1.23 kB'],
      [45_678, '45.7 kB'],
      [999_499, '999 kB'],
      [999_500, '1.00 MB'],
      [269_060_552, '269 MB'],
      [5e15, '5.00 PB'],
      [5e18, '5000 PB'],
    ];
    for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
  });

  it('gives counts three digits', () => {
    assert.equal(formatCount(22), '22');
    assert.equal(formatCount(9_996), '10.0k');
    assert.equal(formatCount(134_515_008), '135M');
    assert.equal(formatCount(7_241_732_096), '7.24B');
  });

  it('never rounds seconds up to a full minute', () => {
    assert.equal(formatDuration(349), '0.3 s');
    assert.equal(formatDuration(12_345), '12.3 s');
    assert.equal(formatDuration(119_600), '2 min 0 s');
    assert.equal(formatDuration(3_599_600), '1 h 0 min');
    assert.equal(formatDuration(7_440_000), '2 h 4 min');
    assert.equal(formatDuration(-5), '0.0 s');
  });

  it('tells ages by the coarsest fitting unit', () => {
    const now = new Date('2026-11-24T12:00:00Z');
    const cases: readonly [string, string][] = [
      ['2026-11-24T11:59:30Z', 'just now'],
      ['2026-11-24T12:00:30Z', 'just now'],
      ['2026-11-24T11:01:00Z', '59 min ago'],
      ['2026-11-23T12:00:00Z', '24 h ago'],
      ['2026-11-22T12:00:00Z', '2 d ago'],
      ['2026-01-05T23:00:00Z', '2026-01-05'],
      ['never', '–'],
    ];
    for (const [when, text] of cases) assert.equal(formatAge(new Date(when), now), text);
  });

  it('writes losses to four decimals, and what is not a number as a dash', () => {
    assert.equal(formatLoss(11.3571), '11.3571');
    assert.equal(formatLoss(0.0123456), '0.0123');
    assert.equal(formatLoss(Number.NaN), '–');
    assert.equal(formatLoss(Number.POSITIVE_INFINITY), '–');
  });

  it('signs weights, and calls nothing minus zero', () => {
    assert.equal(formatWeight(0.824), '+0.82');
    assert.equal(formatWeight(-1.5), '−1.50');
    assert.equal(formatWeight(-0.004), ' 0.00');
  });

  it('counts in words', () => {
    assert.equal(formatPlural(1, 'adapter'), '1 adapter');
    assert.equal(formatPlural(0, 'adapter'), '0 adapters');
    assert.equal(formatPlural(2, 'repository', 'repositories'), '2 repositories');
  });
});

describe('sparkline', () => {
  it('spans the lowest to the highest block', () => {
    assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8), '▁▂▃▄▅▆▇█');
  });

  it('shortens by the smallest value of each stretch, so a dip is never lost', () => {
    const values = Array.from({ length: 100 }, () => 7);
    values[57] = 0;
    assert.equal(sparkline(values, 10), '█████▁████');
  });

  it('draws losses by their logarithm, zero included', () => {
    assert.equal(lossCurve([8, 0.8, 0.08, 0.008], 10), '█▆▃▁');
    assert.equal(lossCurve([1, 0], 10), '█▁');
  });

  it('draws a flat curve low, gaps as spaces and nothing as nothing', () => {
    assert.equal(sparkline([3, 3, 3], 10), '▁▁▁');
    assert.equal(sparkline([1, Number.NaN, 2], 10), '▁ █');
    assert.equal(sparkline([Number.NaN], 10), ' ');
    assert.equal(sparkline([], 10), '');
  });
});

describe('bars', () => {
  it('fills to half a character and clamps', () => {
    assert.equal(bar(0.5, 1, 10), '█████');
    assert.equal(bar(0.25, 1, 2), '▌');
    assert.equal(bar(7, 1, 4), '████');
    assert.equal(bar(-1, 1, 4), '');
    assert.equal(bar(Number.NaN, 1, 4), '');
    assert.equal(bar(1, 0, 4), '');
  });

  it('shows the smallest share that is there', () => {
    assert.equal(bar(1e-9, 1, 10), '▌');
  });

  it('puts negative weights left of the middle line, aligned with positive ones', () => {
    assert.equal(signedBar(0.75, 1.5, 4), '    │██');
    assert.equal(signedBar(-0.75, 1.5, 4), '  ██│');
    assert.equal(signedBar(-0.6, 1.5, 4), '  ▐█│');
    assert.equal(signedBar(0, 1.5, 4), '    │');
    assert.equal(signedBar(-9, 1.5, 4), '████│');
  });
});

describe('tables', () => {
  const columns = [{ heading: 'NAME' }, { heading: 'RANK', align: 'right' }, { heading: 'ABOUT' }] as const;
  const rows = [
    ['acme/a', '8', 'short'],
    ['acme/longer', '128', 'a description that goes on and on'],
  ];

  it('aligns columns without frames or trailing blanks', () => {
    assert.equal(
      renderTable(columns, rows, plain),
      'NAME         RANK  ABOUT\nacme/a          8  short\nacme/longer   128  a description that goes on and on\n',
    );
  });

  it('cuts the last column to the line', () => {
    const lines = renderTable(columns, rows, plain, 34).trimEnd().split('\n');
    assert.equal(lines[2], 'acme/longer   128  a description …');
    assert.ok(
      lines.every((line) => [...line].length <= 34),
      lines.join('\n'),
    );
  });

  it('aligns coloured cells as it does plain ones', () => {
    const stripped = renderTable(
      columns,
      [
        [coloured.bold('acme/a'), '8', 'x'],
        ['acme/longer', '128', 'y'],
      ],
      coloured,
    ).replace(
      // eslint-disable-next-line no-control-regex -- control characters are what this is about
      /\u001b\[\d+m/g,
      '',
    );
    assert.equal(stripped, 'NAME         RANK  ABOUT\nacme/a          8  x\nacme/longer   128  y\n');
  });

  it('lists fields under each other and leaves out what is not there', () => {
    assert.equal(
      renderFields(
        [
          ['name', 'acme/a'],
          ['about', 'two\nlines'],
          ['tags', ''],
          ['rank', undefined],
        ],
        plain,
      ),
      'name   acme/a\nabout  two\n       lines\n',
    );
  });

  it('cuts by characters, not by UTF-16 units', () => {
    assert.equal(cut('🧵🧵🧵🧵', 3), '🧵🧵…');
    assert.equal(cut('abc', 3), 'abc');
  });
});

describe('terminal', () => {
  it('colours only a terminal that did not say no', () => {
    const tty = { write: () => true, isTTY: true };
    assert.equal(styleFor(tty, {}).bold('x'), '\u001b[1mx\u001b[22m');
    assert.equal(styleFor(tty, { NO_COLOR: '' }).bold('x'), '\u001b[1mx\u001b[22m');
    assert.equal(styleFor(tty, {}).bold(''), '');
    assert.equal(styleFor(tty, { NO_COLOR: '1' }).bold('x'), 'x');
    assert.equal(styleFor(tty, { TERM: 'dumb' }).bold('x'), 'x');
    assert.equal(styleFor({ write: () => true }, {}).bold('x'), 'x');
  });

  it('knows the width of a line', () => {
    assert.equal(createTerminal({ write: () => true, isTTY: true, columns: 132 }, { write: () => true }, {}).columns, 132);
    assert.equal(createTerminal({ write: () => true, columns: 132 }, { write: () => true }, {}).columns, 100);
  });

  it('takes from text what would drive a terminal or turn its direction', () => {
    assert.equal(printable('a\u001b[31mb\u0007\u202ec\r\nd\te'), 'a�[31mb��c\nd\te');
    assert.equal(printable('overwrite\rme'), 'overwrite�me');
    assert.equal(printableLine('  two\nlines\t here '), 'two lines here');
  });
});
