// Evaluations as tables, and the live line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEvalProgress, renderEvalLine } from '#src/cli/eval-progress.js';
import { type EvaluationDifferenceView, type EvaluationView } from '#src/cli/hub-views.js';
import { renderEvaluations, renderKnownEvaluations } from '#src/cli/render/evaluations.js';
import { createTerminal } from '#src/cli/terminal.js';

const silent = { write: () => true };
const terminal = createTerminal(silent, silent, {});
const now = new Date('2026-11-24T12:00:00Z');

function evaluation(model: string, changes: object = {}): EvaluationView {
  return {
    model,
    name: 'upper-test',
    examples: 50,
    choices: null,
    result: {
      loss: { value: 1.2345, low: 1.1, high: 1.4 },
      exactMatch: { value: 0.5, low: 0.366, high: 0.634 },
      accuracy: null,
      answerTokens: 100,
    },
    createdAt: '2026-11-24T11:00:00Z',
    finishedAt: '2026-11-24T11:55:00Z',
    ...changes,
  } as unknown as EvaluationView;
}

const difference: EvaluationDifferenceView = {
  first: 'acme/tiny',
  second: 'acme/upper@1.0.0',
  difference: { loss: { value: -0.5, low: -0.71, high: 0.0001 }, exactMatch: { value: 0.25, low: 0.1, high: 0.4 }, accuracy: null },
};

describe('evaluations', () => {
  it('of one model are a line', () => {
    assert.equal(
      renderEvaluations([evaluation('acme/tiny')], [], terminal),
      `MODEL      LOSS                 EXACT MATCH
acme/tiny  1.234 (1.100…1.400)  0.50 (0.37…0.63)
upper-test: 50 examples, loss in nats per answer token, 95 % intervals.
`,
    );
  });

  it('of several are compared with the first', () => {
    assert.equal(
      renderEvaluations([evaluation('acme/tiny'), evaluation('acme/upper@1.0.0')], [difference], terminal),
      `MODEL             LOSS                 EXACT MATCH       Δ LOSS                 Δ EXACT MATCH
acme/tiny         1.234 (1.100…1.400)  0.50 (0.37…0.63)
acme/upper@1.0.0  1.234 (1.100…1.400)  0.50 (0.37…0.63)  −0.500 (−0.710…0.000)  +0.25 (+0.10…+0.40)
upper-test: 50 examples, loss in nats per answer token, 95 % intervals; Δ: against acme/tiny, paired by example.
`,
    );
  });

  it('have an accuracy with choices, and a dash where there is no figure', () => {
    const result = { loss: null, exactMatch: { value: 0, low: 0, high: 0.07 }, accuracy: { value: 1, low: 0.93, high: 1 } };
    const text = renderEvaluations([evaluation('a/b', { choices: ['yes', 'no'], result })], [], terminal);
    assert.match(text, /^MODEL +LOSS +EXACT MATCH +ACCURACY\na\/b +– +0\.00 \(0\.00…0\.07\) +1\.00 \(0\.93…1\.00\)\n/);
  });

  it('known of a model are listed, and none is nothing', () => {
    assert.equal(renderKnownEvaluations([], terminal.style, now), '');
    assert.equal(
      renderKnownEvaluations([evaluation('a/b', { name: 'up\u001bper' })], terminal.style, now),
      `
EVALUATION  EXAMPLES  LOSS                 EXACT MATCH
up\ufffdper            50  1.234 (1.100…1.400)  0.50 (0.37…0.63)  5 min ago
`,
    );
  });
});

describe('an evaluation as it runs', () => {
  it('is a line with bar, count and time', () => {
    assert.equal(
      renderEvalLine('a/b@1.0.0', { status: 'running', evaluated: 32, total: 128 }, 4_000),
      'a/b@1.0.0  ██████··················  32/128 examples  4.0 s',
    );
    assert.equal(renderEvalLine('a/b@1.0.0', undefined, 1_000), 'a/b@1.0.0  waiting  1.0 s');
  });

  it('is a line for each tenth where nobody watches', () => {
    let written = '';
    const progress = createEvalProgress(createTerminal(silent, { write: (text) => (written += text) }, {}), 'a/b');
    for (const evaluated of [0, 2, 50, 55, 100]) progress.update({ status: 'running', evaluated, total: 100 });
    progress.stop();
    assert.equal(written, 'a/b: 0 of 100 examples\na/b: 50 of 100 examples\na/b: 100 of 100 examples\n');
  });
});
