// Composition on the bundled example: few-shot losses are PyTorch's, and two skills that no adapter has together are found.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { answerExamples } from '#src/compose/answer-examples.js';
import { type Candidate } from '#src/compose/report.js';
import { runSearch, type SearchOutcome } from '#src/compose/run-search.js';
import { PRESETS, type Strategy } from '#src/compose/strategy.js';
import { digestOf, parseRepoName, parseVersion } from '#src/ids/ids.js';
import type { Mixture } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { parseExamples, type TokenizedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';

const bundle = fileURLToPath(new URL('../../../examples/tiny-words', import.meta.url));

interface Line {
  readonly prompt: string;
  readonly completion: string;
}
interface ExpectedTask {
  readonly task: string;
  /** Of train.jsonl, from 0: the few-shot examples. */
  readonly lines: readonly number[];
  readonly singleLosses: Readonly<Record<string, number>>;
}

function readLines(...path: string[]): Line[] {
  return readFileSync(join(bundle, ...path), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

describe('composition on the bundled example', () => {
  const { tasks } = JSON.parse(readFileSync(join(bundle, 'expected.json'), 'utf8')) as { tasks: ExpectedTask[] };
  const names = readdirSync(join(bundle, 'adapters')).sort();
  let engine: ModelEngine;
  let codec: TextCodec;
  let candidates: Candidate[];

  before(async () => {
    const model = join(bundle, 'model');
    const adapters = new DirectoryAdapters(model);
    candidates = names.map((name) => ({
      adapter: parseRepoName(`braid/${name}`),
      version: parseVersion('1.0.0'),
      digest: adapters.add(join(bundle, 'adapters', name)),
    }));
    engine = await openTestEngine(model, adapters, { maxBatchRows: 50 });
    codec = await loadTextCodec(model);
  });
  after(() => engine.close());

  /** The task's few-shot examples. */
  function fewShot(task: string): { texts: (string | undefined)[]; tokenized: TokenizedExample[] } {
    const train = readLines('tasks', task, 'train.jsonl');
    const lines = tasks.find((row) => row.task === task)?.lines ?? [];
    const examples = parseExamples(lines.map((line) => train[line]));
    return { texts: lines.map((line) => train[line]?.completion), tokenized: tokenizeExamples(examples, codec, engine.contextLength) };
  }

  function search(task: string, options: { budget: number; strategy: Strategy }): Promise<SearchOutcome> {
    const { tokenized, texts } = fewShot(task);
    return runSearch({
      ...options,
      engine,
      base: { name: parseRepoName('braid/tiny-words'), digest: digestOf('tiny-words') },
      candidates,
      examples: tokenized,
      examplesDigest: digestOf(JSON.stringify(texts)),
      seed: 1,
      space: 'delta',
    });
  }

  async function exactMatch(task: string, mixture: Mixture): Promise<number> {
    const test = readLines('tasks', task, 'test.jsonl').slice(0, 50);
    const answers = await Promise.all(
      test.map(async ({ prompt }) => {
        const ids: number[] = [];
        const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
        const request = {
          ids: codec.encode(prompt),
          mixture,
          maxTokens: 24,
          stopTokens: codec.eosTokenIds,
          sampling,
          topLogprobs: 0,
          stream: false,
        };
        for await (const { id } of engine.generate(request)) ids.push(id);
        return codec.decode(ids);
      }),
    );
    return answers.filter((answer, i) => answer === test[i]?.completion).length / test.length;
  }

  it('the loss of every single adapter is what PyTorch computes on the same examples', async () => {
    for (const { task, singleLosses } of tasks) {
      const { report } = await search(task, { budget: names.length + 2, strategy: PRESETS['select-then-search'] });
      for (const [i, name] of names.entries()) {
        const loss = report.singles[i]?.loss ?? NaN;
        assert.ok(Math.abs(loss - (singleLosses[name] ?? NaN)) < 2e-3, `${task}, ${name}: ${loss}, expected ${singleLosses[name]}`);
      }
    }
  });

  it('selection and transform together: nearly always right where the best single adapter never is', async () => {
    const { parts, report } = await search('last-upper', { budget: 200, strategy: PRESETS.weave });
    assert.equal(report.winner, 'composed');
    assert.ok((report.composed.objective ?? Infinity) < 0.05, JSON.stringify(report.composed));
    assert.ok((await exactMatch('last-upper', parts)) >= 0.9);
    const { texts, tokenized } = fewShot('last-upper');
    const answers = await answerExamples({ engine, codec, examples: tokenized, mixture: parts, signal: new AbortController().signal });
    for (const [i, { base, composed }] of answers.entries()) {
      assert.equal(report.examples[i]?.composed.isExact, true);
      assert.deepEqual(composed, { text: texts[i], isComplete: true }, 'what scoring calls exact is what is generated');
      assert.notEqual(base?.text, texts[i]);
    }
    const best = report.singles.reduce(
      (least, { objective }, i) => ((objective ?? Infinity) < (report.singles[least]?.objective ?? Infinity) ? i : least),
      0,
    );
    const single = candidates[best];
    assert.ok(single);
    assert.ok((await exactMatch('last-upper', [{ digest: single.digest, weight: 1 }])) <= 0.1);
  });
});
