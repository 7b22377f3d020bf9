// Spectra and overlaps as text and picture: figures by class and by module, what is not there, and texts of a hub that mean harm.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ModuleOverlapView, ModuleSpectrumView, OverlapView, SpectraView } from '#src/cli/hub-views.js';
import { renderOverlap } from '#src/cli/render/overlap.js';
import { renderSpectra } from '#src/cli/render/spectra.js';
import { drawSpectra } from '#src/cli/render/spectra-picture.js';
import { profile } from '#src/cli/render/sparkline.js';
import { formatPercent, formatSignificant } from '#src/cli/render/quantities.js';
import { createTerminal } from '#src/cli/terminal.js';

const terminal = createTerminal({ write: () => true }, { write: () => true }, {});

function spectrumOf(layer: number, name: 'q_proj' | 'v_proj', changes: Partial<ModuleSpectrumView> = {}): ModuleSpectrumView {
  const place = { path: `model.layers.${layer}.self_attn.${name}`, layer, class: name };
  const figures = {
    norm: Math.sqrt(5),
    baseNorm: 20,
    relativeNorm: 0.02 * (1 + layer),
    numericalRank: 2,
    stableRank: 1.25,
    effectiveRank: 1.9,
  };
  return { ...place, rank: 2, values: [2, 1], ...figures, note: null, ...changes };
}

const spectra = (modules: readonly ModuleSpectrumView[], model = 'me/a@1.0.0'): SpectraView => ({
  ...{ model, kind: 'adapter', base: 'tiny/base', norm: 3, relativeNorm: 0.031, modules },
});

describe('spectra as text', () => {
  it('has a line for each class and for each module', () => {
    const modules = [spectrumOf(0, 'q_proj'), spectrumOf(1, 'q_proj', { rank: 4, values: [2, 2, 0, 0] }), spectrumOf(0, 'v_proj')];
    const text = renderSpectra(spectra(modules), false, terminal);
    assert.match(text, /^me\/a@1\.0\.0 {2}adapter for tiny\/base, 3 modules, ‖ΔW‖ 3\.00, 3\.10 % of the weights it changes$/m);
    assert.match(text, /^q_proj +2 +2–4 +1\.3 +1\.9 +3\.00 % +▅█$/m);
    assert.match(text, /^v_proj +1 +2 +1\.3 +1\.9 +2\.00 % +█$/m);
    assert.match(text, /^model\.layers\.0\.self_attn\.q_proj +2 +1\.3 +1\.9 +2\.24 +2\.00 % +█▅$/m);
    assert.match(text, /^model\.layers\.1\.self_attn\.q_proj +2 of 4 .* ██▁▁$/m);
  });

  it('keeps many modules to their classes unless asked, and says what figures leave out', () => {
    const modules = Array.from({ length: 60 }, (_, layer) =>
      spectrumOf(layer, 'q_proj', { note: layer < 3 ? 'DoRA: rows are scaled' : null }),
    );
    const short = renderSpectra(spectra(modules), false, terminal);
    assert.match(short, /60 modules: --modules lists them/);
    assert.doesNotMatch(short, /layers\.59/);
    assert.match(short, /^DoRA: rows are scaled \(model\.layers\.0\.self_attn\.q_proj and 2 more\)\.$/m);
    assert.match(renderSpectra(spectra(modules), true, terminal), /layers\.59/);
  });

  it('draws values from 0 up, long spectra shortened', () => {
    assert.equal(profile([4, 4], 8), '██');
    assert.equal(profile([4, 2, 0], 8), '█▅▁');
    assert.equal(profile([], 8), '');
    assert.equal(
      [
        ...profile(
          Array.from({ length: 100 }, (_, i) => 100 - i),
          8,
        ),
      ].length,
      8,
    );
  });

  it('writes three digits', () => {
    assert.deepEqual([0, 0.01234, 0.00001234, 7.5, 1234.5, 2e7].map(formatSignificant), [
      '0',
      '0.0123',
      '1.23e-5',
      '7.50',
      '1235',
      '2.00e+7',
    ]);
    assert.equal(formatPercent(0.5), '50.0 %');
  });
});

describe('overlaps as text', () => {
  const module = (changes: Partial<ModuleOverlapView> = {}): ModuleOverlapView => ({
    ...{ path: 'model.layers.0.self_attn.q_proj', layer: 0, class: 'q_proj', directions: [2, 4] as const, left: 0.5, right: 0.25 },
    ...{ leftByChance: 0.06, rightByChance: 0.03, cosine: -0.301, note: null, ...changes },
  });
  const overlap = (changes: Partial<OverlapView> = {}): OverlapView => ({
    ...{
      first: 'me/a@1.0.0',
      second: 'me/b@2.0.0',
      base: 'tiny/base',
      cosine: -0.2,
      modules: [module()],
      onlyFirst: [],
      onlySecond: [],
      ...changes,
    },
  });

  it('shows both subspaces beside chance, and the cosine', () => {
    const text = renderOverlap(overlap({ modules: [module(), module({ layer: 1, left: 0.7, cosine: null })] }), false, terminal);
    assert.match(text, /^me\/a@1\.0\.0 beside me\/b@2\.0\.0 {2}on tiny\/base, cosine −0\.20$/m);
    assert.match(text, /^q_proj +2 +2 and 4 +0\.60 \(0\.06\) +0\.25 \(0\.03\) +−0\.30$/m);
    assert.match(text, /^model\.layers\.0\.self_attn\.q_proj +2 and 4 +0\.50 \(0\.06\) +0\.25 \(0\.03\) +−0\.30$/m);
    assert.match(text, /0\.70 \(0\.06\) .* –$/m);
  });

  it('names what only one changes, also where they share no module', () => {
    const paths = ['a', 'b', 'c', 'd'];
    const text = renderOverlap(overlap({ modules: [], cosine: 0, onlyFirst: paths, onlySecond: ['e'] }), false, terminal);
    assert.match(text, /^me\/a@1\.0\.0 alone changes 4 modules: a, b, c and 1 more\.$/m);
    assert.match(text, /^me\/b@2\.0\.0 alone changes 1 module: e\.$/m);
    assert.doesNotMatch(text, /DIRECTIONS/);
  });
});

describe('spectra as a picture', () => {
  it('has a cell for each module and a line for each spectrum, of one direction a point', () => {
    const modules = [spectrumOf(0, 'q_proj'), spectrumOf(2, 'q_proj'), spectrumOf(1, 'v_proj', { values: [3] })];
    const svg = drawSpectra(spectra(modules));
    assert.equal(svg.match(/<rect class="cell"/g)?.length, 3);
    assert.equal(svg.match(/<polyline class="values"/g)?.length, 2);
    assert.equal(svg.match(/<circle/g)?.length, 1);
    assert.doesNotMatch(svg, /NaN|undefined|href|url\(/);
  });

  it('is drawn where nothing changes, and escapes what the hub says', () => {
    const nothing = spectrumOf(0, 'q_proj', {
      values: [0, 0],
      norm: 0,
      relativeNorm: 0,
      numericalRank: 0,
      stableRank: 0,
      effectiveRank: 0,
    });
    const svg = drawSpectra(spectra([nothing], '</text><script>alert(1)</script>'));
    assert.doesNotMatch(svg, /<script|NaN|Infinity/);
    assert.match(svg, /&lt;script&gt;/);
  });
});
