// `braid eval` on the bundled example, against a hub that is a process of its own: PyTorch's losses, comparison, show, search, resuming, bad input.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type EvaluationDifferenceView, type EvaluationView, type SearchResult } from '#src/cli/hub-views.js';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';
import { startHubProcess, type HubProcess } from './cli-process.js';

const bundle = fileURLToPath(new URL('../../../examples/tiny-words', import.meta.url));
const TASK = 'last-upper';
/** Of the test lines: enough to be interrupted in the middle. */
const COPIES = 6;

interface Evaluated {
  readonly evaluations: readonly EvaluationView[];
  readonly differences: readonly EvaluationDifferenceView[];
}
interface ExpectedTask {
  readonly task: string;
  /** Of train.jsonl, from 0. */
  readonly lines: readonly number[];
  readonly singleLosses: Readonly<Record<string, number>>;
  readonly base: { readonly loss: number };
}

let folder: string;
let hub: HubProcess;
let expected: ExpectedTask;
const upperExamples = join(bundle, 'adapters', 'make-upper', 'examples.jsonl');

before(async () => {
  const { tasks } = JSON.parse(readFileSync(join(bundle, 'expected.json'), 'utf8')) as { tasks: readonly ExpectedTask[] };
  const found = tasks.find(({ task }) => task === TASK);
  assert.ok(found);
  expected = found;
  folder = mkdtempSync(join(tmpdir(), 'braid-eval-e2e-'));
  await placeEmbeddedDatabase(join(folder, 'data'));
  const lines = readFileSync(join(bundle, 'tasks', TASK, 'train.jsonl'), 'utf8').split('\n');
  writeFileSync(join(folder, 'five.jsonl'), expected.lines.map((line) => `${lines[line] ?? ''}\n`).join(''));
  hub = await startHubProcess(join(folder, 'data'));
  const base = ['--base', 'braid/tiny-words'];
  for (const args of [
    ['models', 'add', join(bundle, 'model'), '--name', 'braid/tiny-words'],
    ['publish', join(bundle, 'adapters', 'pick-last'), 'braid/pick-last', ...base],
    ['publish', join(bundle, 'adapters', 'make-upper'), 'braid/make-upper', ...base],
  ]) {
    const { status, err } = await hub.braid(...args);
    assert.equal(status, 0, err);
  }
});

after(async () => {
  const { status, err } = await hub.stop();
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, `the hub did not stop well: ${err}`);
});

describe('braid eval', () => {
  it("has PyTorch's losses, and the difference to the first", async () => {
    const models = ['braid/tiny-words', 'braid/pick-last', 'braid/make-upper@1.0.0'];
    const { evaluations, differences } = await hub.json<Evaluated>('eval', ...models, '--examples', join(folder, 'five.jsonl'));
    const losses = [expected.base.loss, expected.singleLosses['pick-last'] ?? 0, expected.singleLosses['make-upper'] ?? 0];
    assert.deepEqual(
      evaluations.map(({ model, name, examples }) => [model, name, examples]),
      ['braid/tiny-words', 'braid/pick-last@1.0.0', 'braid/make-upper@1.0.0'].map((model) => [model, 'five', 5]),
    );
    for (const [i, loss] of losses.entries()) {
      const found = evaluations[i]?.result?.loss;
      assert.ok(found && Math.abs(found.value - loss) < 1e-3, `${models[i]}: ${found?.value} and ${loss}`);
      assert.ok(found.low < loss && loss < found.high);
    }
    assert.deepEqual(
      differences.map(({ first, second }) => [first, second]),
      [
        ['braid/tiny-words', 'braid/pick-last@1.0.0'],
        ['braid/tiny-words', 'braid/make-upper@1.0.0'],
      ],
    );
    const change = (losses[1] ?? 0) - (losses[0] ?? 0);
    assert.ok(Math.abs((differences[0]?.difference.loss?.value ?? 0) - change) < 2e-3);
    assert.ok((differences[0]?.difference.loss?.high ?? 0) < 0, 'picking the last word helps on every example');
  });

  it('shows a table: an adapter can do what it was trained for, the base cannot', async () => {
    const run = ['eval', 'braid/tiny-words', 'braid/make-upper', '--examples', upperExamples, '--name', 'upper'];
    const { status, out, err } = await hub.braid(...run);
    assert.equal(status, 0, err);
    assert.match(err, /^braid\/make-upper@1\.0\.0: (\d+) of \1 examples$/m);
    assert.match(out, /^MODEL +LOSS +EXACT MATCH +Δ LOSS +Δ EXACT MATCH$/m);
    assert.match(out, /^braid\/tiny-words +\d+\.\d{3} \(\d+\.\d{3}…\d+\.\d{3}\) +0\.0\d \(0\.00…0\.\d\d\)$/m);
    assert.match(out, /^braid\/make-upper@1\.0\.0 +0\.\d{3} .* +(?:1\.00|0\.9\d) \(.*…1\.00\) +−\d.* +\+(?:1\.00|0\.9\d) \(\+/m);
    assert.match(out, /^upper: \d+ examples, .*95 % intervals; Δ: against braid\/tiny-words, paired by example\.$/m);
    const again = await hub.braid(...run);
    assert.deepEqual([again.out, again.err], [out, ''], 'the same command shows what is known');
  });

  it('an accuracy among choices', async () => {
    const file = join(folder, 'signs.jsonl');
    const line = (word: string) => JSON.stringify({ prompt: `upper: ${word} =>`, completion: ` ${word.toUpperCase()}` });
    writeFileSync(file, ['bread', 'noon', 'bread'].map((word) => `${line(word)}\n`).join(''));
    const { status, out, err } = await hub.braid(
      'eval',
      'braid/make-upper',
      '--examples',
      file,
      '--choices',
      'BREAD, NOON',
      '--length-normalized',
    );
    assert.equal(status, 0, err);
    assert.match(out, /^MODEL +LOSS +EXACT MATCH +ACCURACY$/m);
    assert.match(out, /\d\.\d\d \(\d\.\d\d…\d\.\d\d\)$/m);
    const line2 = await hub.refused('ANSWER_NOT_A_CHOICE', 'eval', 'braid/make-upper', '--examples', file, '--choices', 'BREAD,LAMP');
    assert.match(line2, /example 2.*"NOON".*BREAD, LAMP/);
  });

  it('is shown with the version, and found by search', async () => {
    assert.match(
      (await hub.braid('show', 'braid/make-upper')).out,
      /^EVALUATION +EXAMPLES +LOSS +EXACT MATCH .*\n(?:.*\n)*upper +\d+ +0\.\d{3} /m,
    );
    assert.match((await hub.braid('show', 'braid/tiny-words')).out, /^five +5 +11\.62/m);
    const { evaluations } = await hub.json<{ evaluations: readonly EvaluationView[] }>('show', 'braid/pick-last');
    assert.deepEqual(
      evaluations.map(({ name }) => name),
      ['five'],
    );
    const search = ['search', '--evaluated', 'five'];
    assert.equal((await hub.json<SearchResult>(...search)).total, 2);
    assert.equal((await hub.json<SearchResult>(...search, '--min-exact-match', '0.5')).total, 0);
    const good = await hub.braid('search', '--evaluated', 'upper', '--min-exact-match', '0.9');
    assert.match(good.out, /^NAME +RANK +EXACT MATCH +ABOUT\nbraid\/make-upper@1\.0\.0 +\d+ +(?:1\.00|0\.9\d) /);
    assert.match(good.out, /^evaluation +five \(1\) {2}.*upper \(1\)/m);
    await hub.refused('MINIMUM_WITHOUT_EVALUATION', 'search', '--min-exact-match', '0.5');
  });

  it('Ctrl-C cancels, what is done stays, and the same command goes on', async () => {
    const file = join(folder, 'long.jsonl');
    const lines = readFileSync(join(bundle, 'tasks', TASK, 'test.jsonl'), 'utf8')
      .trim()
      .split('\n');
    writeFileSync(
      file,
      Array.from({ length: COPIES }, () => lines)
        .flat()
        .join('\n'),
    );
    const args = ['eval', 'braid/pick-last', '--examples', file];
    const running = hub.start(...args);
    await running.untilErr(/^braid\/pick-last@1\.0\.0: [1-9]\d* of \d+ examples$/m);
    running.process.kill('SIGINT');
    const { status, out, err } = await running.outcome;
    assert.deepEqual([status, out], [130, ''], err);
    assert.match(err, /^Cancelling; .*\n(?:.*\n)*error EVALUATION_CANCELLED: .*the same command goes on where it was\.$/m);
    const resumed = await hub.braid(...args);
    assert.equal(resumed.status, 0, resumed.err);
    assert.match(resumed.err, /^braid\/pick-last@1\.0\.0: [1-9]\d* of \d+ examples\n/, 'not from the beginning');
    assert.match(resumed.out, new RegExp(`^long: ${COPIES * lines.length} examples`, 'm'));
  });

  it('refuses in one line, with a code', async () => {
    const write = (name: string, text: string): string => {
      const file = join(folder, name);
      writeFileSync(file, text);
      return file;
    };
    const five = join(folder, 'five.jsonl');
    await hub.refused('EXAMPLES_MISSING', 'eval', 'braid/pick-last', '--examples', write('empty.jsonl', '\n'));
    await hub.refused('EXAMPLE_NOT_JSON', 'eval', 'braid/pick-last', '--examples', write('bad.jsonl', '{"prompt"'));
    await hub.refused('EXAMPLE_WITHOUT_OUTPUT', 'eval', 'braid/pick-last', '--examples', write('without.jsonl', '{"prompt": "x"}'));
    await hub.refused('UNREADABLE_FILE', 'eval', 'braid/pick-last', '--examples', join(folder, 'nowhere.jsonl'));
    await hub.refused('UNKNOWN_MODEL', 'eval', 'braid/pick-lost', '--examples', five);
    await hub.refused('UNKNOWN_VERSION', 'eval', 'braid/pick-last@3.0.0', '--examples', five);
    for (const args of [['--choices', 'a,'], ['--max-tokens', '0'], []]) {
      const file = args.length === 0 ? '-' : five;
      assert.equal((await hub.braid('eval', 'braid/pick-last', '--examples', file, ...args)).status, 2, args.join(' '));
    }
    assert.equal((await hub.braid('eval', 'pick-last', '--examples', five)).status, 2);
  });
});
