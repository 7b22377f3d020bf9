// `npm run bench -- quality`: compositions for the unseen tasks of the real bed, judged on held-out examples; the tables of docs/compose.md.
//   npm run bench -- quality [--seeds 0,1,2] [--tasks a,b] [--strategies weave:200,weave:40,lorahub:42] [--json]
// A strategy is named with its budget, and a number behind that composes for the prompted model: weave:200:4 has four examples in front.
// Peers in the same run: LoraHub's algorithm (its preset, in factor space), the best single adapter, and the examples in the prompt.
// Needs the real test bed (a `shared` folder beside the repository, or BRAID_SHARED).
import { parseArgs } from 'node:util';
import { LORAHUB_OBJECTIVE } from '#src/compose/objective.js';
import { measureLikelihood } from '#src/compose/objectives/likelihood.js';
import { LIKELIHOOD } from '#src/compose/objectives/objectives.js';
import type { Candidate } from '#src/compose/report.js';
import { runSearch, type SearchOutcome } from '#src/compose/run-search.js';
import { parseStrategy } from '#src/compose/strategy.js';
import { digestOf, parseRepoName, parseVersion } from '#src/ids/ids.js';
import type { Mixture } from '#src/runtime/engine.js';
import { createMixture } from '#src/runtime/factor-mixture.js';
import { createPrompt, tokenizeBehindShots } from '#src/compose/prompted-form.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { writeShots } from '#src/tokenizer/shots.js';
import { promptWithOthers } from '#src/tokenizer/prompt-with-others.js';
import { type Example, openRealBed } from '#test/real/bed.js';
import { openBedEngine } from '../bench-engine.js';

const TEST_EXAMPLES = 100;
const MOST_TOKENS = 8;
/** Python's random.Random(seed).sample(range(60), 5): LoraHub's own draw on this bed; every task has 60 lines. */
const DRAWS: Readonly<Record<string, readonly number[]>> = { 0: [54, 24, 48, 56, 26], 1: [8, 36, 54, 51, 48], 2: [55, 54, 3, 5, 23] };
/** Advice is right when what it advises is within so much of the best method's exact match … */
const TOLERANCE = 0.03;
/** … and "nothing" when no method reaches this. */
const HELPLESS = 0.15;

const { values: flags } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== 'quality'),
  options: {
    seeds: { type: 'string', default: '0,1,2' },
    tasks: { type: 'string' },
    strategies: { type: 'string', default: 'weave:200,weave:40,lorahub:42' },
    json: { type: 'boolean', default: false },
  },
});

const bed = openRealBed();
const names = bed.candidates;
const candidates: Candidate[] = names.map((name) => ({
  adapter: parseRepoName(`real/${name}`),
  version: parseVersion('1.0.0'),
  digest: digestOf(name),
}));
const engine = await openBedEngine(bed.modelDirectory, (digest) =>
  bed.adapterDirectory(names[candidates.findIndex((one) => one.digest === digest)] ?? ''),
);
const codec = await loadTextCodec(bed.modelDirectory);

interface Run {
  readonly task: string;
  readonly seed: string;
  readonly strategy: string;
  readonly objective: number;
  readonly loss: number;
  /** Held-out exact match. */
  readonly exactMatch: number;
  readonly single: number;
  readonly uniform: number;
  readonly base: number;
  /** The examples in the prompt: all of them, or as many as the composition has in front. */
  readonly prompted: number;
  readonly singlePrompted?: number;
  readonly uniformPrompted?: number;
  readonly advice: string;
  readonly expectedLoss: number;
  readonly expectedExactMatch: number;
  readonly curve: readonly { readonly evaluations: number; readonly objective: number }[];
  readonly evaluations: number;
  readonly seconds: number;
  readonly parts: Readonly<Record<string, number>>;
}

/** Greedy, at most eight tokens, the first line, stripped, compared whole. */
async function exactMatch(test: readonly Example[], mixture: Mixture, prefix = ''): Promise<number> {
  const answers = await Promise.all(
    test.map(async ({ prompt }) => {
      const ids: number[] = [];
      const stream = engine.generate({
        ids: codec.encode(prefix + prompt),
        mixture,
        maxTokens: MOST_TOKENS,
        stopTokens: codec.eosTokenIds,
        sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
        topLogprobs: 0,
        stream: false,
      });
      for await (const { id } of stream) ids.push(id);
      return codec.decode(ids.filter((id) => !codec.eosTokenIds.includes(id)));
    }),
  );
  return answers.filter((answer, i) => answer.trim().split('\n')[0]?.trim() === test[i]?.completion.trim()).length / test.length;
}

async function compose(examples: readonly Example[], text: string): Promise<SearchOutcome> {
  const [strategy = '', budget = '200', shots] = text.split(':');
  const placed = parseExamples(examples);
  const { contextLength } = engine;
  const plain = measureLikelihood(tokenizeExamples(placed, codec, contextLength));
  const form = shots === undefined ? undefined : { examples: placed, shots: Number(shots), codec, contextLength };
  const prompted = form === undefined ? promptWithOthers(placed, codec, contextLength) : undefined;
  return runSearch({
    engine,
    base: { name: parseRepoName('real/base'), digest: digestOf('base') },
    candidates,
    examples: form === undefined ? plain : measureLikelihood(tokenizeBehindShots(form)),
    ...(form !== undefined && { shots: { count: form.shots, tokens: createPrompt(form).tokens, unprompted: plain } }),
    objective: { ...LIKELIHOOD, ...LORAHUB_OBJECTIVE },
    examplesDigest: digestOf(JSON.stringify(examples)),
    prompted: prompted && measureLikelihood(prompted),
    strategy: parseStrategy(strategy),
    space: strategy.startsWith('lorahub') ? 'factor' : 'delta',
    seed: 1,
    budget: Number(budget),
  });
}

function bestIndex(singles: SearchOutcome['report']['singles']): number {
  return [...singles.entries()].sort(([, a], [, b]) => (a.objective ?? Infinity) - (b.objective ?? Infinity))[0]?.[0] ?? 0;
}

const runs: Run[] = [];
for (const seed of flags.seeds.split(',')) {
  for (const task of flags.tasks?.split(',') ?? bed.tasks) {
    const train = bed.train(task);
    const examples = (DRAWS[seed] ?? []).flatMap((line) => train[line] ?? []);
    if (examples.length !== 5) throw new Error(`no draw of examples for seed ${seed}; there are ${Object.keys(DRAWS).join(', ')}`);
    const test = bed.test(task).slice(0, TEST_EXAMPLES);
    const known = new Map<string, number>();
    const once = async (key: string, measure: () => Promise<number>): Promise<number> => {
      const found = known.get(key) ?? (await measure());
      known.set(key, found);
      return found;
    };
    for (const strategy of flags.strategies.split(',')) {
      const started = performance.now();
      const { parts, recipe, report } = await compose(examples, strategy);
      const seconds = (performance.now() - started) / 1000;
      // LoraHub's preset scores no candidate alone; the best one is what the first strategy found without a prompt.
      const alone = report.unprompted?.single;
      const single =
        known.get('best single') ?? (alone ? candidates.findIndex(({ adapter }) => adapter === alone.adapter) : bestIndex(report.singles));
      known.set('best single', single);
      const digest = candidates[single]?.digest ?? digestOf('');
      const { shots } = recipe;
      const prefix = writeShots(examples.slice(0, shots?.count));
      const front = shots === undefined ? '' : prefix;
      const uniform = candidates.map((one) => ({ digest: one.digest, weight: 1 / candidates.length }));
      const behind = bestIndex(report.singles);
      const run: Run = {
        task,
        seed,
        strategy,
        objective: report.composed.objective ?? Infinity,
        loss: report.composed.loss ?? Infinity,
        exactMatch: await exactMatch(test, createMixture({ space: recipe.space, parts }), front),
        single: await once(`single ${single}`, () => exactMatch(test, [{ digest, weight: 1 }])),
        uniform: await once('uniform', () => exactMatch(test, uniform)),
        base: await once('base', () => exactMatch(test, [])),
        prompted: await once(`prompted ${prefix}`, () => exactMatch(test, [], prefix)),
        ...(shots !== undefined && {
          singlePrompted: await exactMatch(test, [{ digest: candidates[behind]?.digest ?? digestOf(''), weight: 1 }], front),
          uniformPrompted: await exactMatch(test, uniform, front),
        }),
        advice: report.advice,
        expectedLoss: report.expected.composed?.loss ?? NaN,
        expectedExactMatch: report.expected.composed?.success ?? NaN,
        curve: report.curve.map(({ evaluations, objective }) => ({ evaluations, objective })),
        evaluations: report.evaluations,
        seconds,
        parts: Object.fromEntries(parts.map(({ adapter, weight }) => [adapter.slice('real/'.length), weight])),
      };
      runs.push(run);
      if (flags.json) process.stdout.write(`${JSON.stringify(run)}\n`);
      process.stderr.write(
        `${task} seed ${seed} ${strategy}: exact match ${run.exactMatch.toFixed(2)}, single ${run.single.toFixed(2)}, prompted ${run.prompted.toFixed(2)}, objective ${run.objective.toFixed(3)}, ${Math.ceil(run.evaluations)} evaluations, ${seconds.toFixed(0)} s, advice ${run.advice}\n`,
      );
    }
  }
}
await engine.close();
if (!flags.json) print(runs);

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Whether following the advice gives, within the tolerance, the best exact match there was to have. */
function isRight(run: Run): boolean {
  const { exactMatch: compose, single, uniform, base, prompted: prompt, singlePrompted, uniformPrompted } = run;
  const methods: Readonly<Record<string, number | undefined>> = {
    ...{ compose, single, base, prompt },
    // A search behind a prompt does not measure the uniform mixture without it.
    ...(singlePrompted === undefined ? { uniform } : { 'single-prompted': singlePrompted, 'uniform-prompted': uniformPrompted }),
  };
  const best = Math.max(...Object.values(methods).map((value) => value ?? 0));
  const advised = methods[run.advice];
  return advised === undefined ? best < HELPLESS : advised >= best - TOLERANCE;
}

function print(all: readonly Run[]): void {
  const strategies = [...new Set(all.map(({ strategy }) => strategy))];
  const peer = strategies.find((strategy) => strategy.startsWith('lorahub'));
  const peerOf = (run: Run): Run | undefined =>
    all.find((other) => other.strategy === peer && other.task === run.task && other.seed === run.seed);
  const tasks = [...new Set(all.map(({ task }) => task))];
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;
  const of = (task: string | undefined, strategy: string): readonly Run[] =>
    all.filter((run) => run.strategy === strategy && (task === undefined || run.task === task));
  const two = (value: number): string => value.toFixed(2);
  const [first = ''] = strategies;
  const row = (task: string | undefined): (string | number)[] => [
    task ?? '**mean**',
    ...(['base', 'prompted', 'uniform', 'single'] as const).map((method) => two(mean(of(task, first).map((run) => run[method])))),
    ...strategies.map((strategy) => two(mean(of(task, strategy).map((run) => run.exactMatch)))),
  ];
  process.stdout.write(`Held-out exact match on ${TEST_EXAMPLES} test examples, mean over the seeds ${flags.seeds}\n\n`);
  process.stdout.write(line(['task', 'base', 'prompted', 'uniform', 'best single', ...strategies]));
  process.stdout.write(line(new Array<string>(5 + strategies.length).fill('---')));
  for (const task of [...tasks, undefined]) process.stdout.write(line(row(task)));
  process.stdout.write('\n');
  process.stdout.write(
    line([
      'strategy',
      'points above LoraHub',
      'above best single',
      'above prompting',
      'runs no worse than LoraHub',
      'evaluations to LoraHub’s objective: median',
      'at most 15',
      'advice right',
      'worst task against best single',
      'evaluations',
      'seconds',
    ]),
  );
  process.stdout.write(line(new Array<string>(11).fill('---')));
  for (const strategy of strategies) {
    const own = of(undefined, strategy);
    const points = (other: (run: Run) => number): string => (100 * mean(own.map((run) => run.exactMatch - other(run)))).toFixed(1);
    const reach = own
      .map((run) => run.curve.find(({ objective }) => objective <= (peerOf(run)?.objective ?? -Infinity))?.evaluations ?? Infinity)
      .sort((a, b) => a - b);
    const deficits = tasks.map((task) => mean(of(task, strategy).map((run) => run.exactMatch - run.single)));
    const share = (count: number): string => `${count} of ${own.length}`;
    process.stdout.write(
      line([
        strategy,
        points((run) => peerOf(run)?.exactMatch ?? NaN),
        points((run) => run.single),
        points((run) => run.prompted),
        share(own.filter((run) => run.exactMatch >= (peerOf(run)?.exactMatch ?? Infinity)).length),
        (reach[Math.floor(reach.length / 2)] ?? NaN).toFixed(1),
        share(reach.filter((evaluations) => evaluations <= 15).length),
        share(own.filter(isRight).length),
        (100 * Math.min(...deficits)).toFixed(1),
        mean(own.map(({ evaluations }) => evaluations)).toFixed(0),
        mean(own.map(({ seconds }) => seconds)).toFixed(1),
      ]),
    );
  }
}
