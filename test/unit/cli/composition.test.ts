// The composition's page and the live line of a search.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createComposeProgress, renderProgressLine } from '#src/cli/compose-progress.js';
import { type CompositionView, type JobProgress } from '#src/cli/hub-views.js';
import { bestSingle, curlLine, curveValues, renderComposition } from '#src/cli/render/composition.js';
import { createTerminal } from '#src/cli/terminal.js';

const silent = { write: () => true };
const terminal = createTerminal(silent, silent, {});

function part(adapter: string, weight: number): unknown {
  return { adapter, version: '1.0.0', digest: `sha256:${'0'.repeat(64)}`, weight };
}

function composition(changes: object = {}, report: object = {}): CompositionView {
  return {
    name: 'acme/upper-words',
    version: '1.0.0',
    baseModel: 'acme/tiny',
    space: 'delta',
    parts: [part('acme/vowels', -0.12), part('acme/reverse', 0.82), part('acme/noise', 0.001)],
    recipe: {
      strategy: { screen: 'halving', search: 'surrogate', prune: 'attribution', validate: 'cross-validation' },
      seed: 1,
      budget: 200,
      candidates: [{}, {}, {}],
      examples: { count: 5, answerTokens: 61 },
    },
    report: {
      winner: 'composed',
      verdict: 'The composition of 3 adapters is best on the examples.',
      composed: { loss: 0.153, objective: 0.2 },
      base: { loss: 3.212, objective: 3.212 },
      uniform: { loss: 2.001, objective: 2.02 },
      singles: [
        { adapter: 'acme/vowels', version: '1.0.0', loss: null, objective: null },
        { adapter: 'acme/reverse', version: '1.0.0', loss: 1.105, objective: 1.12 },
        { adapter: 'acme/noise', version: '1.0.0', loss: 3.5, objective: 3.52 },
      ],
      curve: [
        { evaluations: 1, stage: 'baselines', loss: 3.212, objective: 3.212 },
        { evaluations: 5, stage: 'search', loss: 0.153, objective: 0.2 },
      ],
      evaluations: 8,
      budget: 200,
      seconds: 12.34,
      ...report,
    },
    prompt: null,
    createdAt: '2026-11-24T11:55:00Z',
    ...changes,
  } as unknown as CompositionView;
}

function page(view: CompositionView, prompt = 'UPPER: ab =>'): string {
  return renderComposition({ composition: view, hubUrl: 'http://127.0.0.1:8400', prompt }, terminal, new Date('2026-11-24T12:00:00Z'));
}

describe('a composition', () => {
  it('shows weights, losses, the search and the call', () => {
    assert.equal(
      page(composition()),
      `acme/upper-words@1.0.0  composition for acme/tiny, 5 min ago

ADAPTER             WEIGHT
acme/reverse@1.0.0   +0.82            │█████▌
acme/vowels@1.0.0    −0.12           █│
1 more part at 0.00

LOSS           NATS
base         3.2120  ████████████████████████
best single  1.1050  ████████▌                 acme/reverse@1.0.0
uniform      2.0010  ███████████████           all 3 candidates in equal parts
composed     0.1530  █
per answer token, on 5 examples (61 tokens)

The composition of 3 adapters is best on the examples.

SEARCH  8 of 200 evaluations, surrogate, seed 1, 12.3 s
3.2120 ████▁▁▁▁ 0.1530

Call it:
curl http://127.0.0.1:8400/v1/completions -H 'content-type: application/json' -d '{"model":"acme/upper-words","prompt":"UPPER: ab =>","max_tokens":32,"temperature":0}'
`,
    );
  });

  it('says what goes in front of every request, and which losses are behind it', () => {
    const shots = composition(
      {
        prompt: { examples: [{ prompt: 'a =>', completion: ' A' }], tokens: 77 },
        recipe: { ...composition().recipe, shots: { count: 1, tokens: 77 } },
      },
      {
        unprompted: {
          base: { loss: 4, objective: 4 },
          single: { adapter: 'acme/noise', version: '1.0.0', loss: 2, objective: 2 },
          evaluations: 4.5,
        },
      },
    );
    assert.match(page(shots), /^PROMPT {2}1 example in front of every request, 77 tokens\n\nADAPTER/m);
    assert.match(
      page(shots),
      /^base +4\.0000 .*\nbest single +2\.0000 .*acme\/noise@1\.0\.0\nbase, prompted +3\.2120 .*\nbest single, prompted +1\.1050 .*acme\/reverse@1\.0\.0\nuniform, prompted .*\ncomposed, prompted +0\.1530 .*\n.*; prompted is behind 1 other$/m,
    );
    assert.match(page(shots), /\/v1\/completions/);
    const chat = [{ prompt: [{ role: 'user', content: 'a' }], completion: [{ role: 'assistant', content: 'A' }] }];
    assert.match(page(composition({ prompt: { examples: chat, tokens: 9 } })), /\/v1\/chat\/completions.*"messages"/);
  });

  it('names what was minimised where that is not the likelihood, and weights against their own bound', () => {
    const measures = { unit: 'nats', of: 'of the right one among 3 choices', success: 'accuracy' };
    const objective = { name: 'choice', choices: ['a', 'b', 'c'], regularisation: 0.5, bound: 3 };
    const expected = { base: { loss: 1.1, interval: [0.9, 1.2], success: 0.4 } };
    const view = composition({}, { measures, expected, stages: [], attribution: [], promptTokens: { plain: 9, prompted: null } });
    const text = renderComposition(
      {
        composition: {
          ...view,
          recipe: { ...view.recipe, candidates: [{ adapter: 'acme/reverse' }], objective },
        } as unknown as CompositionView,
        hubUrl: '',
        prompt: '',
        explain: true,
      },
      terminal,
    );
    assert.match(text, /^LOSS +NATS\n/m);
    assert.match(text, /^of the right one among 3 choices, on 5 examples \(61 tokens\)$/m);
    assert.match(text, /^acme\/reverse@1\.0\.0 +\+0\.82 +│██▌$/m);
    assert.match(text, /^SEARCH .*, seed 1, objective choice, regularisation 0\.5, weights within ±3, /m);
    assert.match(text, /^TO EXPECT +LOSS +80 % INTERVAL +ACCURACY +PROMPT\nbase +1\.1000 +0\.9000 … 1\.2000 +40 % +9 tokens$/m);
  });

  it('says so when no adapter helped, and draws losses that are not finite as nothing', () => {
    const text = page(composition({ parts: [] }, { base: { loss: null, objective: null }, curve: [] }));
    assert.match(text, /No adapter helped: the composition is the base model itself\./);
    assert.match(text, /^base +–$/m);
  });

  it('finds the best single adapter by objective, those without one last', () => {
    assert.equal(bestSingle(composition().report)?.adapter, 'acme/reverse');
    assert.equal(bestSingle(composition({}, { singles: [] }).report), undefined);
  });

  it('spreads the improvements over the evaluations', () => {
    const points = [2, 4].map((evaluations) => ({ evaluations, stage: 'search', loss: 10 - evaluations, objective: 0 }));
    assert.deepEqual(curveValues(points, 5), [Number.NaN, 8, 8, 6, 6]);
    assert.deepEqual(curveValues([], 2), [Number.NaN, Number.NaN]);
  });

  it('writes a call that a shell takes as it is', () => {
    const line = curlLine('http://127.0.0.1:8400', 'a/b', "it's\n\u001b[31m\u202ered");
    assert.equal(
      line,
      `curl http://127.0.0.1:8400/v1/completions -H 'content-type: application/json' -d '{"model":"a/b","prompt":"it'\\''s\\n\\u001b[31m\\u202ered","max_tokens":32,"temperature":0}'`,
    );
  });
});

describe('a search as it runs', () => {
  const state: JobProgress = {
    stage: 'search',
    evaluations: 50,
    budget: 200,
    bestObjective: 0.5,
    bestLoss: 0.4123,
    elapsedMs: 100,
  };

  it('is a line with bar, count, best loss, curve and time', () => {
    assert.equal(
      renderProgressLine(state, [3, 1, 0.4123], 12_300),
      'searching  ██████··················  50/200  best 0.4123  █▄▁  12.3 s',
    );
    assert.equal(renderProgressLine(undefined, [], 900), 'waiting for the hub  0.9 s');
    assert.match(renderProgressLine({ ...state, bestLoss: null }, [], 0), / {2}50\/200 {4}0\.0 s$/);
  });

  it('is a line for every stage and every tenth of the budget where nobody watches', () => {
    const lines: string[] = [];
    const progress = createComposeProgress(createTerminal(silent, { write: (text: string) => lines.push(text) }, {}));
    for (let evaluations = 0; evaluations <= 200; evaluations++) {
      progress.update({ ...state, stage: evaluations < 25 ? 'baselines' : 'search', evaluations });
    }
    progress.stop();
    assert.equal(lines.length, 12);
    assert.equal(lines[0], 'baselines: 0 of 200 evaluations, best loss 0.4123\n');
    assert.equal(lines.at(-1), 'searching: 200 of 200 evaluations, best loss 0.4123\n');
  });
});
