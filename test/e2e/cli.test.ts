// The whole way through the command line, against a hub that is a process of its own: models, publish, search, compose, complete.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { answering, openRewardServer, type RewardServer } from '#test/fixtures/compose/reward-server.js';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';
import { createTinyAdapter, writeTinyModel, type TinyAdapterOptions } from '#test/fixtures/tiny-model.js';
import { startHubProcess, type HubProcess } from './cli-process.js';

const ADAPTERS: Readonly<Record<string, TinyAdapterOptions & { readonly about: string }>> = {
  reverse: { seed: 1, rank: 4, about: 'Writes words backwards.' },
  upper: { seed: 2, rank: 8, about: 'Writes words in capitals.' },
  vowels: { seed: 3, rank: 2, targets: ['o_proj', 'down_proj'], about: 'Keeps the vowels of words.' },
};

let folder: string;
let hub: HubProcess;
let rewards: RewardServer;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'braid-cli-e2e-'));
  await placeEmbeddedDatabase(join(folder, 'data'));
  writeTinyModel(join(folder, 'model'));
  for (const [name, { about, ...options }] of Object.entries(ADAPTERS)) writeAdapter(name, options, about);
  writeFileSync(
    join(folder, 'examples.jsonl'),
    [3, 1, 4]
      .map((n) => JSON.stringify({ prompt: `say ${n}:`, completion: ` ${'ab'.repeat(n)}` }))
      .join('\n')
      .concat('\n'),
  );
  rewards = await openRewardServer();
  hub = await startHubProcess(join(folder, 'data'), { BRAID_REWARD_ORIGINS: rewards.origin });
});

after(async () => {
  const { status, out, err } = await hub.stop();
  await rewards.close();
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, `the hub did not stop well: ${err}`);
  assert.match(out, /REWARD_INVALID/);
  assert.ok(!`${out}${err}`.includes('hunter2'), 'the query of a reward service is not logged');
});

function writeAdapter(name: string, options: TinyAdapterOptions, about: string): void {
  const { config, weights } = createTinyAdapter(options);
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'adapter_config.json'), config);
  writeFileSync(join(folder, name, 'adapter_model.safetensors'), weights);
  writeFileSync(join(folder, name, 'README.md'), `---\ntags: [bundled]\n---\n# ${name}\n\n${about}\n`);
}

describe('from a model directory to a composition', () => {
  it('says what to do on an empty hub', async () => {
    assert.match((await hub.braid('models')).out, /No base model yet\. Add one with: braid models add/);
    assert.match((await hub.braid('list')).out, /Nothing here yet/);
    assert.match((await hub.braid('search', 'words')).out, /Nothing found/);
  });

  it('adds a base model, and adding it again changes nothing', async () => {
    const first = await hub.braid('models', 'add', join(folder, 'model'), '--name', 'tiny/base');
    assert.equal(first.status, 0, first.err);
    assert.match(first.out, /^tiny\/base\n(?:.*\n)*context +256 tokens\n/);
    assert.equal((await hub.braid('models', 'add', join(folder, 'model'), '--name', 'tiny/base')).out, first.out);
    const { items } = await hub.json<{ items: { name: string; digest: string }[] }>('models');
    assert.deepEqual(
      items.map(({ name }) => name),
      ['tiny/base'],
    );
    const table = (await hub.braid('models')).out.split('\n');
    assert.match(table[0] ?? '', /^NAME +ARCHITECTURE +PARAMETERS +WEIGHTS +CONTEXT +VOCABULARY$/);
    assert.match(table[1] ?? '', /^tiny\/base +LlamaForCausalLM +[\d.]+k +[\d.]+ kB +256 +272$/);
  });

  it('plans for the model as for its folder, and says so when there is no such model', async () => {
    interface Planned {
      readonly model: { readonly parameters: number };
    }
    const [byName, byFolder] = [
      await hub.json<Planned>('plan', '--base', 'tiny/base'),
      await hub.json<Planned>('plan', '--base', join(folder, 'model')),
    ];
    assert.deepEqual(byName, byFolder);
    const { items } = await hub.json<{ items: { parameterCount: number }[] }>('models');
    assert.equal(byName.model.parameters, items[0]?.parameterCount);
    await hub.refused('UNKNOWN_BASE_MODEL', 'plan', '--base', 'tiny/nothing');
  });

  it('publishes adapters as immutable versions', async () => {
    for (const name of Object.keys(ADAPTERS)) {
      const { status, out, err } = await hub.braid('publish', join(folder, name), `acme/${name}`, '--base', 'tiny/base', '--tag', 'words');
      assert.equal(status, 0, err);
      assert.match(out, new RegExp(`^published acme/${name}@1\\.0\\.0\n`));
    }
    const again = await hub.json<{ created: boolean; version: string; tags: string[] }>(
      'publish',
      join(folder, 'upper'),
      'acme/upper',
      '--base',
      'tiny/base',
      '--tag',
      'words',
    );
    assert.equal(again.created, false);
    assert.equal(again.version, '1.0.0');
    assert.deepEqual([...again.tags].sort(), ['bundled', 'words']);
    const line = await hub.refused(
      'VERSION_EXISTS',
      ...['publish', join(folder, 'reverse'), 'acme/upper', '--base', 'tiny/base', '--version', '1.0.0'],
    );
    assert.match(line, /acme\/upper@1\.0\.0/);
  });

  it('finds them by words, tag and rank, page by page', async () => {
    type Page = { items: { name: string }[]; next: string | null; total: number };
    const names = (page: Page): string[] => page.items.map(({ name }) => name);
    assert.deepEqual(names(await hub.json<Page>('search', 'backwards')), ['acme/reverse']);
    assert.deepEqual(names(await hub.json<Page>('search', '--min-rank', '3', '--base', 'tiny/base')).sort(), [
      'acme/reverse',
      'acme/upper',
    ]);
    assert.deepEqual(names(await hub.json<Page>('search', 'words', '--max-rank', '2', '--target-module', 'o_proj')), ['acme/vowels']);
    const first = await hub.json<Page>('search', '--tag', 'words', '--limit', '2');
    assert.equal(first.total, 3);
    const second = await hub.json<Page>('search', '--tag', 'words', '--limit', '2', '--after', first.next ?? '');
    assert.deepEqual([...names(first), ...names(second)].sort(), ['acme/reverse', 'acme/upper', 'acme/vowels']);
    assert.equal(second.next, null);
    const { out } = await hub.braid('search', 'words', '--limit', '1');
    assert.match(out, /^acme\/\w+@1\.0\.0 +\d+ {2}\w.*\.$/m);
    assert.match(out, /^rank +/m);
    assert.match(out, /^More: braid search … --after \S+$/m);
  });

  it('finds them by likeness: to an adapter, and to the task that examples show', async () => {
    type Found = { items: { name: string; similarity: number }[]; considered: number };
    const like = await hub.json<Found>('search', '--like', 'acme/upper@1.0.0');
    assert.deepEqual(like.items.map(({ name }) => name).sort(), ['acme/reverse', 'acme/vowels']);
    assert.equal(like.considered, 2);
    const examples = join(folder, 'alike.jsonl');
    writeFileSync(examples, '{"prompt": "god", "completion": "dog"}\n');
    const found = await hub.json<Found>('search', '--like-examples', examples, '--base', 'tiny/base', '--limit', '2');
    assert.deepEqual([found.items.length, found.considered], [2, 3]);
    const { out } = await hub.braid('search', '--like-examples', examples, '--base', 'tiny/base', '--limit', '1');
    assert.match(out, /^ *LIKE +NAME +RANK +ABOUT\n *-?[01]\.\d\d +acme\/\w+@1\.0\.0 .*\n1 of 3\n$/);
    for (const wrong of [
      ['words', '--like', 'acme/upper'],
      ['--like-examples', examples],
      ['--like', 'acme/upper', '--like-examples', examples],
      ['--like', 'acme/upper', '--tag', 'words'],
    ])
      assert.equal((await hub.braid('search', ...wrong)).status, 2, wrong.join(' '));
  });

  it('composes, and shows how', async () => {
    const { status, out, err } = await hub.braid(
      ...['compose', 'acme/mixed', '--base', 'tiny/base', '--examples', join(folder, 'examples.jsonl'), '--budget', '40', '--seed', '7'],
    );
    assert.equal(status, 0, err);
    assert.match(err, /^searching: \d+ of 40 evaluations, best loss \d+\.\d+$/m);
    assert.match(out, /^acme\/mixed@1\.0\.0 {2}composition for tiny\/base/);
    assert.match(out, /^acme\/(?:reverse|upper|vowels)@1\.0\.0 +[+−]\d\.\d\d .*│/m);
    for (const name of ['base', 'best single', 'uniform', 'composed']) assert.match(out, new RegExp(`^${name} +\\d+\\.\\d+ +█`, 'm'));
    assert.match(out, /^SEARCH {2}\d+ of 40 evaluations, surrogate, seed 7, /m);
    const curl = /^curl (\S+) -H 'content-type: application\/json' -d '(.*)'$/m.exec(out);
    assert.ok(curl, out);
    const response = await fetch(curl[1] ?? '', { method: 'POST', headers: { 'content-type': 'application/json' }, body: curl[2] ?? '' });
    assert.equal(response.status, 200, await response.text());
  });

  it('composes for the prompted model, and completes and evaluates behind its prompt', async () => {
    type Job = { shots: number; composition: { prompt: { tokens: number }; parts: { adapter: string; weight: number }[] } };
    const lines = [1, 2, 3].map((i) => JSON.stringify({ prompt: `say ${i}:`, completion: ` ${i}` }));
    const examples = join(folder, 'shots.jsonl');
    writeFileSync(examples, `${lines.join('\n')}\n`);
    const request = ['compose', 'acme/prompted', '--base', 'tiny/base', '--examples', examples, '--budget', '12', '--seed', '2'];
    const { status, out, err } = await hub.braid(...request, '--shots', '2', '--explain');
    assert.equal(status, 0, err);
    assert.match(out, /^PROMPT {2}2 examples in front of every request, \d+ tokens$/m);
    for (const name of ['base', 'best single', 'base, prompted', 'best single, prompted', 'composed, prompted'])
      assert.match(out, new RegExp(`^${name} +\\d+\\.\\d+ +█`, 'm'));
    assert.match(out, /^unprompted +halving +\d\.\d/m);
    const shown = await hub.json<Job['composition']>('show', 'acme/prompted');
    const mixture = shown.parts.map(({ adapter, weight }) => `${adapter}=${weight}`).join(',');
    const byHand = [
      'complete',
      'tiny/base',
      'say 1: 1\n\nsay 2: 2\n\nsay 3:',
      '--stop',
      '\n\n',
      ...(mixture === '' ? [] : ['--mixture', mixture]),
    ];
    assert.equal((await hub.braid('complete', 'acme/prompted', 'say 3:')).out, (await hub.braid(...byHand)).out);
    assert.equal((await hub.braid('eval', 'acme/prompted', '--examples', examples)).status, 0);
    await hub.refused('SHOTS_NEED_EXAMPLES', ...request, '--shots', '3');
    assert.equal((await hub.braid(...request, '--shots', '33')).status, 2);
  });

  it('writes the report as a page, with the composition or later', async () => {
    const file = join(folder, 'reported.html');
    const examples = join(folder, 'examples.jsonl');
    const request = ['compose', 'acme/reported', '--base', 'tiny/base', '--examples', examples, '--budget', '12', '--report'];
    const composed = await hub.braid(...request, file);
    assert.equal(composed.status, 0, composed.err);
    assert.ok(composed.err.endsWith(`The report: ${file}\n`), composed.err);
    const page = readFileSync(file, 'utf8');
    assert.match(page, /^<!doctype html>/);
    assert.ok(page.includes('say 3:') && page.includes('acme/<wbr>reported'));

    const { status, out } = await hub.braid('report', 'acme/reported@1.0.0');
    assert.deepEqual([status, out], [0, page]);
    assert.deepEqual(await hub.json('report', 'acme/reported'), { html: page });
    const again = join(folder, 'again.html');
    assert.match((await hub.braid('report', 'acme/reported', '--output', again)).out, /^wrote .*again\.html \([\d.]+ kB\)\n$/);
    assert.equal(readFileSync(again, 'utf8'), page);
    assert.deepEqual(await hub.json('report', 'acme/reported', '--output', again), { output: again, sizeBytes: Buffer.byteLength(page) });

    await hub.refused('UNKNOWN_COMPOSITION', 'report', 'acme/upper');
    await hub.refused('UNKNOWN_VERSION', 'report', 'acme/reported@9.9.9');
    await hub.refused('UNWRITABLE_FILE', 'report', 'acme/reported', '--output', join(folder, 'nowhere', 'r.html'));
    const countJobs = async (): Promise<number> => (await hub.json<{ items: unknown[] }>('jobs', 'list')).items.length;
    const before = await countJobs();
    for (const unwritable of [join(folder, 'nowhere', 'r.html'), folder]) await hub.refused('UNWRITABLE_FILE', ...request, unwritable);
    assert.equal(await countJobs(), before, 'no search for a report that cannot be written');
  });

  it('never returns worse than a baseline, and the same seed gives the same weights', async () => {
    type Job = { composition: { parts: unknown[]; report: { winner: string } & Record<string, { objective: number }> } };
    const arguments_ = [
      '--base',
      'tiny/base',
      '--examples',
      join(folder, 'examples.jsonl'),
      '--budget',
      '30',
      '--adapters',
      'acme/reverse@1.0.0,acme/upper',
    ];
    const [one, two] = [
      await hub.json<Job>('compose', 'acme/first', ...arguments_),
      await hub.json<Job>('compose', 'acme/second', ...arguments_),
    ];
    assert.deepEqual(one.composition.parts, two.composition.parts);
    const { base, uniform, composed } = one.composition.report;
    assert.ok((composed?.objective ?? Infinity) <= Math.min(base?.objective ?? 0, uniform?.objective ?? 0));
  });

  it('lists and shows everything by name', async () => {
    const { out } = await hub.braid('list');
    assert.match(out, /^acme\/mixed +1\.0\.0 +composition +tiny\/base +(?:just now|\d+ min ago)$/m);
    assert.match(out, /^acme\/upper +1\.0\.0 +adapter +tiny\/base/m);
    assert.equal((await hub.json<{ items: unknown[] }>('list', '--kind', 'composition')).items.length, 5);
    assert.match(
      (await hub.braid('show', 'acme/upper')).out,
      /^acme\/upper@1\.0\.0 {2}adapter for tiny\/base(?:.*\n)*kind +LORA, rank 8, alpha 8\n(?:.*\n)*Writes words in capitals\./,
    );
    assert.match((await hub.braid('show', 'acme/mixed@1.0.0')).out, /^acme\/mixed@1\.0\.0 {2}composition for tiny\/base/);
    assert.match((await hub.braid('show', 'tiny/base')).out, /^tiny\/base\narchitecture +LlamaForCausalLM/);
    assert.equal((await hub.json<{ kind: string }>('show', 'acme/mixed')).kind, 'composition');
  });

  it('composes for another objective', async () => {
    type Job = { objective: string; composition: { recipe: { objective: unknown } } };
    const examples = join(folder, 'choices.jsonl');
    writeFileSync(examples, '{"prompt": "say 1:", "completion": " one"}\n{"prompt": "say 2:", "completion": " two"}\n');
    const request = ['compose', 'acme/chosen', '--base', 'tiny/base', '--examples', examples, '--budget', '8'];
    const job = await hub.json<Job>(...request, '--choices', 'one,two, three', '--regularisation', '0.1', '--bound', '2');
    assert.equal(job.objective, 'choice');
    assert.deepEqual(job.composition.recipe.objective, { name: 'choice', choices: ['one', 'two', 'three'], regularisation: 0.1, bound: 2 });
    const { out } = await hub.braid(...request, '--objective', 'exact', '--explain');
    assert.match(out, /^LOSS +ERRORS\n/m);
    assert.match(out, /^TO EXPECT +LOSS .* EXACT ANSWERS +PROMPT$/m);
    await hub.refused('ANSWER_NOT_A_CHOICE', ...request, '--choices', 'one,three');
    await hub.refused('CHOICES_MISSING', ...request, '--objective', 'choice');
    for (const wrong of [
      ['--objective', 'bleu'],
      ['--choices', 'one,'],
      ['--bound', '0.5'],
      ['--regularisation', '-1'],
    ])
      assert.equal((await hub.braid(...request, ...wrong)).status, 2, wrong.join(' '));
  });

  it('composes for what a service says of the answers', async () => {
    type Job = { objective: string; composition: { recipe: { objective: { reward: string } } } };
    const request = ['compose', 'acme/judged', '--base', 'tiny/base', '--examples', join(folder, 'examples.jsonl'), '--budget', '8'];
    const job = await hub.json<Job>(...request, '--objective', 'reward', '--reward', rewards.url);
    assert.equal(job.objective, 'reward');
    assert.equal(job.composition.recipe.objective.reward, `${rewards.origin}/reward`);
    assert.ok(rewards.requests.flat().every(({ prompt, expected }) => /^say \d:$/.test(prompt ?? '') && /^ (?:ab)+$/.test(expected)));
    const { out } = await hub.braid(...request, '--reward', rewards.url, '--explain');
    assert.match(out, /^LOSS +REWARD MISSED\n/m);
    assert.match(out, /^TO EXPECT +LOSS .* MEAN REWARD +PROMPT$/m);
    assert.match(await hub.refused('REWARD_ORIGIN_REFUSED', ...request, '--reward', 'http://10.0.0.1/?hunter2'), /BRAID_REWARD_ORIGINS/);
    await hub.refused('REWARD_MISSING', ...request, '--objective', 'reward');
    rewards.behave(answering('{"rewards": [2]}'));
    assert.match(await hub.refused('REWARD_INVALID', ...request, '--reward', rewards.url), /rewards\[0\] is 2|gave 1 rewards/);
  });

  it('completes with a base, an adapter, a composition and a mixture, streamed as in one piece', async () => {
    type Completion = { choices: { text: string }[] };
    const ask = async (...args: string[]): Promise<string> => {
      const whole = await hub.json<Completion>('complete', ...args, '--max-tokens', '12');
      const { status, out, err } = await hub.braid('complete', ...args, '--max-tokens', '12');
      assert.equal(status, 0, err);
      const text = whole.choices[0]?.text ?? '';
      // eslint-disable-next-line no-control-regex -- control characters are what this is about
      assert.equal(out, `${text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')}\n`);
      return text;
    };
    const prompt = 'say 2:';
    const base = await ask('tiny/base', prompt);
    const upper = await ask('acme/upper', prompt);
    assert.notEqual(upper, base);
    assert.equal(await ask('tiny/base', prompt, '--mixture', 'acme/upper@1.0.0=1'), upper);
    assert.equal(await ask('tiny/base', prompt, '--mixture', 'acme/upper=0,acme/reverse=0'), base);
    await ask('acme/mixed', prompt);
    const sampled = ['tiny/base', prompt, '--temperature', '1', '--seed', '5', '--top-k', '20'];
    assert.equal(await ask(...sampled), await ask(...sampled));
  });
});

describe('jobs', () => {
  const longSearch = (name: string): string[] => [
    ...[
      'compose',
      name,
      '--base',
      'tiny/base',
      '--examples',
      join(folder, 'examples.jsonl'),
      '--budget',
      '100000',
      '--strategy',
      'search=random',
    ],
  ];

  it('cancels with Ctrl-C and publishes nothing', async () => {
    const command = hub.start(...longSearch('acme/cancelled'));
    await command.untilErr(/searching: \d+ of/);
    command.process.kill('SIGINT');
    const { status, out, err } = await command.outcome;
    assert.deepEqual([status, out], [130, '']);
    const [, id = ''] = /Cancelling (\S+); Ctrl-C again leaves at once/.exec(err) ?? [];
    assert.match(err, /error JOB_CANCELLED: The job \S+ was cancelled; nothing was published\.\n$/);
    assert.equal((await hub.json<{ status: string }>('jobs', 'show', id)).status, 'cancelled');
    await hub.refused('UNKNOWN_MODEL', 'show', 'acme/cancelled');
  });

  it('runs detached, is watched by another command, and cancelled by a third', async () => {
    const { out, status } = await hub.braid(...longSearch('acme/detached'), '--detach');
    const id = out.trim();
    assert.equal(status, 0);
    assert.match(id, /^[0-9a-f-]{36}$/);
    const watching = hub.start('jobs', 'watch', id);
    await watching.untilErr(/searching: \d+ of/);
    assert.match((await hub.braid('jobs', 'show', id)).out, /^status +running\n/m);
    assert.equal((await hub.braid('jobs', 'cancel', id)).status, 0);
    const watched = await watching.outcome;
    assert.equal(watched.status, 1);
    assert.match(watched.err, /error JOB_CANCELLED/);
    assert.match((await hub.braid('jobs', 'cancel', id)).out, /^status +cancelled\n/m);
  });

  it('lists them, newest first, by status and page by page', async () => {
    const { out } = await hub.braid('jobs', 'list', '--status', 'cancelled', '--limit', '1');
    assert.match(
      out,
      /^ID +COMPOSITION +STATUS +EVALUATIONS +LOSS +CREATED\n[0-9a-f-]{36} +acme\/detached +cancelled +\d+\/100000 +\S+ +just now\n/,
    );
    const [, cursor = ''] = /\nMore: braid jobs list … --after (\S+)\n$/.exec(out) ?? [];
    const page = await hub.json<{ items: { name: string }[] }>('jobs', 'list', '--status', 'cancelled', '--after', cursor);
    assert.equal(page.items[0]?.name, 'acme/cancelled');
    assert.equal((await hub.braid('jobs', 'list', '--status', 'running')).out.startsWith('No jobs.'), true);
  });

  it('composes again when an adapter has a new version', async () => {
    const line = await hub.refused('NOTHING_CHANGED', 'recompose', 'acme/mixed');
    assert.match(line, /publish a new version/);
    await hub.refused('UNKNOWN_COMPOSITION', 'recompose', 'acme/nothing');
  });
});

describe('the golden llama', () => {
  const golden = findSharedPath('golden', 'llama');
  it('gives the greedy tokens that PyTorch and PEFT give', { skip: golden === undefined && sharedFolderMissing }, async () => {
    if (golden === undefined) return;
    await hub.json('models', 'add', join(golden, 'model'), '--name', 'golden/llama');
    await hub.json('publish', join(golden, 'adapters', 'lora-r8-all'), 'golden/r8', '--base', 'golden/llama');
    for (const [file, model] of [
      ['expected-base.json', 'golden/llama'],
      ['adapters/lora-r8-all/expected.json', 'golden/r8'],
    ] as const) {
      const expected = JSON.parse(readFileSync(join(golden, file), 'utf8')) as { prompt: number[]; greedy: number[] }[];
      for (const { prompt, greedy } of expected) {
        const words = (ids: readonly number[]): string => ids.map((id) => `<${id}>`).join(' ');
        const { out } = await hub.braid('complete', model, words(prompt), '--max-tokens', String(greedy.length));
        // Tokens 0, 1 and 2 are special, so they are no part of a text; 2 ends it.
        const shown = greedy.slice(0, greedy.includes(2) ? greedy.indexOf(2) : undefined).filter((id) => id > 2);
        assert.equal(out.trim(), words(shown), `${model} after ${words(prompt)}`);
      }
    }
  });
});
