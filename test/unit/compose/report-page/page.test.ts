// A report as a page: what it says, that no text of a stranger becomes markup, that nothing is fetched, and what is left out when it is not there.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { choiceWords } from '#src/compose/objectives/choice.js';
import { renderPage } from '#src/compose/report-page/page.js';
import { PAGE_HEADERS } from '#src/compose/report-page/policy.js';
import type { ExampleOutcome } from '#src/compose/report.js';
import { parseRepoName, parseVersion } from '#src/ids/ids.js';
import { createPage } from '#test/fixtures/compose/report-page.js';

const tagsOf = (page: string): string[] => [...page.matchAll(/<([a-z]+)/gi)].map(([, name = '']) => name.toLowerCase());

/** Texts of a table's rows, cell by cell. */
function rowsOf(page: string, label: string): string[][] {
  const start = page.indexOf(`aria-label="${label}"`);
  assert.ok(start >= 0, `no table ${label}`);
  const table = page.slice(start, page.indexOf('</table>', start));
  return [...table.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) =>
      cell
        .replace(/<[^>]+>/g, ' ')
        .replaceAll('&lt;', '<')
        .replaceAll('&amp;', '&')
        .replace(/\s+/g, ' ')
        .trim(),
    ),
  );
}

describe('the page of a report', () => {
  it('says what to do, how each method does, and what each adapter brings', () => {
    const page = renderPage(createPage());
    assert.match(page, /^<!doctype html>\n<html lang="en">/);
    assert.match(page, /<h2>Use the composition<\/h2>\s*<p>Use the composition of 2 adapters\.<\/p>/);
    assert.deepEqual(rowsOf(page, 'What each method does with the task'), [
      ['Method', 'Loss on the examples', 'Loss to expect', 'Exact answers to expect', 'Prompt tokens'],
      ['Base alone', '4.2500', '4.0000 2 … 8', '0 %', '12'],
      ['Best single adapter me/ last @1.0.0', '1.7500', '2.0000 1 … 4', '10 %', '12'],
      ['All in equal parts', '3.1250', '3.0000 1.5 … 6', '2 %', '12'],
      ['Composed advised', '0.0500', '0.1000 0.05 … 0.2', '90 %', '12'],
      ['Examples in the prompt', '–', '1.0000 0.5 … 2', '30 %', '62'],
    ]);
    assert.deepEqual(rowsOf(page, 'Adapters with their weights').slice(1), [
      ['me/ upper @1.0.0', '+0.750', '', 'rises by 1.5000'],
      ['me/ last @1.0.0', '−0.250', '', 'is not finite'],
    ]);
    assert.deepEqual(rowsOf(page, 'What each stage of the search did and spent')[2]?.slice(1), [
      'surrogate',
      '36.5',
      '20.0 s',
      '0.0600',
      'me/ upper , me/ last',
    ]);
    assert.deepEqual(rowsOf(page, 'Every candidate alone at weight 1').slice(1), [
      ['me/ last @1.0.0', '1.7500', ''],
      ['me/ upper @1.0.0', '2.5000', ''],
    ]);
  });

  it('of the prompted model: what has the examples in front, what has not, and what they cost', () => {
    const { recipe, report } = createPage();
    const { base, single, uniform, composed, prompted } = report.expected;
    const expected = { base, single, prompted, singlePrompted: single, uniformPrompted: uniform, composed };
    const unprompted = {
      base: { loss: 5, objective: 5 },
      single: { adapter: parseRepoName('me/twice'), version: parseVersion('1.0.0'), loss: 2.75, objective: 2.8 },
      evaluations: 4,
    };
    const page = renderPage(
      createPage(
        { recipe: { ...recipe, shots: { count: 4, tokens: 50 } } },
        { advice: 'single-prompted', expected: JSON.parse(JSON.stringify(expected)) as typeof report.expected, unprompted },
      ),
    );
    assert.deepEqual(
      rowsOf(page, 'What each method does with the task')
        .slice(1)
        .map(([method, loss, , , tokens]) => [method, loss, tokens]),
      [
        ['Base alone', '5.0000', '12'],
        ['Best single adapter me/ twice @1.0.0', '2.7500', '12'],
        ['Examples in the prompt', '4.2500', '62'],
        ['Best single adapter advised me/ last @1.0.0 , the examples in front', '1.7500', '62'],
        ['All in equal parts the examples in front', '3.1250', '62'],
        ['Composed the examples in front', '0.0500', '62'],
      ],
    );
    assert.match(page, /<h2>Use one adapter, with the examples in the prompt<\/h2>/);
    assert.match(page, /· 4 examples in front of every request, 50 tokens ·/);
    assert.match(page, /Base and composition have 4 examples in front of each\./);
  });

  it('shows every example with the answers of base and composition side by side', () => {
    const page = renderPage(createPage());
    assert.match(page, /<dt>Prompt<\/dt>\s*<dd><div class="text" dir="auto">red green =&gt;<\/div><\/dd>/);
    assert.deepEqual(rowsOf(page, 'Example 2 under base and composition'), [
      ['Under', 'Answer', 'Exact', 'Chance', 'Loss'],
      ['Base', '↵ no idea ↵ …', '✗ not exact', '< 1 %', '9.0000'],
      ['Composed', 'TWO', '✓ exact', '95 %', '0.0500'],
      ['Unseen', '–', '✓ exact', '82 %', '0.2000'],
    ]);
  });

  it('speaks of what was minimised: accuracy among choices, without a chance of its own for each example', () => {
    const plain = createPage({}, { measures: choiceWords(3) });
    const page = renderPage({
      ...plain,
      recipe: { ...plain.recipe, objective: { name: 'choice', choices: ['a', '<b>'], regularisation: 0, bound: 2 } },
    });
    assert.equal(rowsOf(page, 'What each method does with the task')[0]?.[3], 'Accuracy to expect');
    assert.deepEqual(rowsOf(page, 'Example 2 under base and composition').slice(0, 3), [
      ['Under', 'Answer', 'Right', 'Loss'],
      ['Base', '↵ no idea ↵ …', '✗ not right', '9.0000'],
      ['Composed', 'TWO', '✓ right', '0.0500'],
    ]);
    assert.match(page, /Losses are nats of the right one among 3 choices, lower is better\./);
    assert.match(page, /weights within ±2, objective: choice of a, &lt;b&gt; \+ 0 · mean \|w\|/);
    assert.ok(!page.includes('per answer token'));
  });

  it('a report from before there were several objectives minimised the likelihood', () => {
    const { measures: _measures, ...older } = createPage().report;
    const page = createPage();
    const recipe = { ...page.recipe, objective: { regularisation: 0.05, bound: 1.5 } as typeof page.recipe.objective };
    assert.equal(renderPage({ ...page, report: older, recipe }), renderPage(page));
  });

  it('names the stage before the search where candidates were retrieved', () => {
    const plain = createPage();
    const stagesOf = (page: string): string[][] => rowsOf(page, 'What each stage of the search did and spent');
    assert.ok(stagesOf(renderPage(plain)).every(([stage]) => stage?.startsWith('retrieve') === false));
    const retrieval = { method: 'likeness', index: 'exact', considered: 1200, kept: 32, candidates: [], seconds: 0.25 } as const;
    const [, first] = stagesOf(renderPage({ ...plain, recipe: { ...plain.recipe, retrieval } }));
    assert.deepEqual(first, ['retrieve candidates out of all adapters on the base', 'likeness', '–', '0.3 s', '–', '32 of 1200']);
  });

  it('a chat is shown as its turns', () => {
    const messages = [
      { role: 'user', content: 'Say <hello>' },
      { role: 'assistant', content: 'Hello' },
    ];
    const page = renderPage(createPage({ examples: [{ prompt: messages.slice(0, 1), completion: messages.slice(1) }] }));
    assert.match(page, /<span class="role">user<\/span> Say &lt;hello&gt;/);
    assert.match(page, /<span class="role">assistant<\/span> Hello/);
  });

  it('every text of a stranger is text', () => {
    const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'></style></title>&amp;\u0000\u001b\ud800`;
    const name = evil as ReturnType<typeof createPage>['parts'][number]['adapter'];
    const plain = createPage();
    const { report, recipe } = plain;
    const [part] = plain.parts;
    const [single] = report.singles;
    const [candidate] = recipe.candidates;
    assert.ok(part && single && candidate);
    const page = renderPage(
      createPage(
        {
          name: evil,
          version: evil,
          base: evil,
          parts: [{ ...part, adapter: name }],
          recipe: { ...recipe, candidates: recipe.candidates.map((other) => ({ ...other, adapter: name })) },
          examples: [
            { prompt: evil, completion: evil },
            { prompt: [{ role: evil, content: evil }], completion: [{ role: evil, content: evil }] },
          ],
        },
        {
          verdict: evil,
          singles: [{ ...single, adapter: name }],
          attribution: [{ adapter: name, version: single.version, weight: 1, gain: 1 }],
          answers: [1, 2].map(() => ({ base: { text: evil, isComplete: true }, composed: { text: evil, isComplete: true } })),
          stages: report.stages.map((stage) => ({ ...stage, stage: evil as 'screen', method: evil })),
        },
      ),
    );
    const allowed = new Set(tagsOf(renderPage(plain)));
    assert.deepEqual(
      tagsOf(page).filter((tag) => !allowed.has(tag)),
      [],
    );
    assert.ok(!/<[^>]*\son[a-z]+\s*=/i.test(page), 'no handler');
    assert.equal(page.split('</style>').length, 2);
    // eslint-disable-next-line no-control-regex -- control characters are what this is about
    assert.ok(!/[\u0000\u001b]|\p{Surrogate}/u.test(page));
    assert.ok(page.includes('&lt;script&gt;alert(1)&lt;/script&gt;') && page.includes('&amp;amp;\ufffd\ufffd\ufffd'));
  });

  it('fetches nothing, runs nothing, and says so to the browser', () => {
    const page = renderPage(createPage());
    assert.ok(!/\b(?:src|href|srcset|action)\s*=|url\(|@import|<script|<link|<iframe|\sstyle="/i.test(page));
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    const policy = PAGE_HEADERS['content-security-policy'];
    assert.ok(policy.startsWith(`default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`), policy);
    assert.match(page, /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/);
  });

  it('ids are unique, and what they label is there', () => {
    const page = renderPage(createPage());
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id);
    assert.equal(new Set(ids).size, ids.length);
    const labels = [...page.matchAll(/aria-labelledby="([^"]+)"/g)].flatMap(([, list = '']) => list.split(' '));
    assert.deepEqual(
      labels.filter((id) => !ids.includes(id)),
      [],
    );
    assert.match(
      page,
      /<desc id="wide-desc">From 1\.7500 to 0\.0500 nats per answer token, reached after 20 evaluations\. For comparison: base 4\.2500/,
    );
  });
});

describe('what is not there', () => {
  it('no adapter, nothing to expect, no number that is finite', () => {
    const none = { loss: null, objective: null };
    const page = renderPage(
      createPage(
        { parts: [] },
        {
          advice: 'nothing',
          winner: 'base',
          expected: { base: { loss: Number.MAX_VALUE, interval: [0, Number.MAX_VALUE], success: 0 } },
          promptTokens: { plain: 12, prompted: null },
          composed: none,
          base: none,
          uniform: none,
          singles: [],
          attribution: [],
          curve: [],
          stages: [],
          examples: [{ base: { nll: null, isExact: false }, composed: { nll: null, isExact: false } }],
          answers: [{ base: null, composed: { text: '', isComplete: true } }],
        },
      ),
    );
    assert.match(page, /<h2>Nothing here does this task<\/h2>/);
    assert.match(page, /the composition is the base model itself/);
    assert.match(page, /No point of the search had a finite loss/);
    assert.ok(!/advised|NaN|Infinity|undefined|null|1\.8e\+?308/.test(page));
    assert.deepEqual(rowsOf(page, 'What each method does with the task').slice(1), [
      ['Base alone', '–', '– 0 … ∞', '0 %', '12'],
      ['Best single adapter', '–', '–', '–', '12'],
      ['All in equal parts', '–', '–', '–', '12'],
      ['Composed', '–', '–', '–', '12'],
    ]);
    assert.deepEqual(rowsOf(page, 'Example 1 under base and composition').slice(1), [
      ['Base', 'not finite', '✗ not exact', '–', '–'],
      ['Composed', 'nothing', '✗ not exact', '–', '–'],
    ]);
  });

  it('one example; answers and texts that were not kept; attribution that was not measured', () => {
    const plain = createPage();
    const { answers: _, ...report } = { ...plain.report, attribution: [], examples: plain.report.examples.slice(0, 1) };
    const page = renderPage({ ...plain, report, examples: undefined });
    assert.match(page, /The texts of the examples were not kept/);
    assert.match(page, /What each adapter brings was not measured/);
    assert.deepEqual(rowsOf(page, 'Example 1 under base and composition')[0], ['Under', 'Exact', 'Chance', 'Loss']);
    assert.ok(!page.includes('Example 2'));
    assert.deepEqual(rowsOf(page, 'Adapters with their weights')[0], ['Adapter', 'Weight', 'Weight as a bar']);
  });

  it('256 examples that fill the context, and as many adapters: a page of bounded size', () => {
    const outcome: ExampleOutcome = { base: { nll: 1, isExact: false }, composed: { nll: 1, isExact: true } };
    const plain = createPage();
    const [part] = plain.parts;
    assert.ok(part);
    const page = renderPage(
      createPage(
        {
          parts: Array.from({ length: 256 }, () => part),
          examples: Array.from({ length: 256 }, () => ({ prompt: '<'.repeat(40_000), completion: '&'.repeat(40_000) })),
        },
        {
          examples: Array.from({ length: 256 }, () => outcome),
          curve: Array.from({ length: 5000 }, (_, i) => ({
            evaluations: i + 1,
            stage: 'search',
            objective: 1 / (i + 1),
            loss: 1 / (i + 1),
          })),
          evaluations: 5000,
        },
      ),
    );
    assert.ok(page.length < 1_500_000, String(page.length));
    assert.match(page, /Example 20</);
    assert.ok(!page.includes('Example 21<'));
    const rest = rowsOf(page, 'The other examples');
    assert.equal(rest.length, 1 + 236);
    assert.equal(rest.at(-1)?.[0], '256');
    assert.match(rest.at(-1)?.[1] ?? '', /^<{60} … 39,880 more characters … <{60}$/);
    assert.match(page, /And 192 more adapters with smaller weights/);
    assert.ok(!page.includes('<circle'), 'thousands of dots are a smear');
  });
});
