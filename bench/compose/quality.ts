// `npm run bench -- quality`: compositions for the unseen tasks of the real bed, judged on held-out examples; the tables of docs/compose.md.
//   npm run bench -- quality [--seeds 0,1,2] [--tasks a,b] [--strategies weave:200,weave:40,lorahub:42] [--json]
//   npm run bench -- quality --from runs.jsonl     the tables of what --json printed before, as a long run that was interrupted and gone on with
// A strategy is named with its budget. Behind that, a number composes for the prompted model (weave:200:4 has four examples in front), and
// int8 searches by an int8 base (weave:200:int8).
// Peers in the same run: LoraHub's algorithm (its preset, in factor space), the best single adapter, and the examples in the prompt.
// Needs the real test bed (a `shared` folder beside the repository, or BRAID_SHARED).
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { meanLoss } from '#src/compose/evaluation-ledger.js';
import { LORAHUB_OBJECTIVE } from '#src/compose/objective.js';
import { measureLikelihood } from '#src/compose/objectives/likelihood.js';
import { LIKELIHOOD } from '#src/compose/objectives/objectives.js';
import type { Candidate } from '#src/compose/report.js';
import { runSearch, type SearchOutcome } from '#src/compose/run-search.js';
import { createMixtureEvaluation } from '#src/compose/score-mixtures.js';
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
import { DRAWS } from './draws.js';
import { printTables, type Run, TEST_EXAMPLES } from './quality-tables.js';

const MOST_TOKENS = 8;
const { values: flags } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== 'quality'),
  options: {
    seeds: { type: 'string', default: '0,1,2' },
    tasks: { type: 'string' },
    strategies: { type: 'string', default: 'weave:200,weave:40,lorahub:42' },
    json: { type: 'boolean', default: false },
    from: { type: 'string' },
  },
});

if (flags.from !== undefined) {
  const lines = readFileSync(flags.from, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  printTables(lines.map((line) => JSON.parse(line) as Run));
  process.exit();
}

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
  const [strategy = '', budget = '200', ...others] = text.split(':');
  const shots = others.find((other) => other !== 'int8');
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
    ...(others.includes('int8') && { precision: 'int8' }),
    seed: 1,
    budget: Number(budget),
  });
}

/** Losses of groups of as many examples as were searched on, under a mixture of the candidates. */
async function groupLosses(test: readonly Example[], size: number, { recipe: { space }, parts }: Pick<SearchOutcome, 'recipe' | 'parts'>) {
  const tokenized = tokenizeExamples(parseExamples(test), codec, engine.contextLength);
  const evaluate = createMixtureEvaluation({ engine, candidates: parts.map(({ digest }) => digest), examples: tokenized, space });
  const [losses = []] = await evaluate([{ weights: parts.map(({ weight }) => weight), examples: [...tokenized.keys()] }]);
  return Array.from({ length: Math.floor(test.length / size) }, (_, group) => meanLoss(losses.slice(group * size, (group + 1) * size)));
}

function shareWithin(losses: readonly number[], interval: readonly [number, number] = [NaN, NaN]): number {
  return losses.filter((loss) => loss >= interval[0] && loss <= interval[1]).length / losses.length;
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
        ...(shots === undefined && {
          covered: shareWithin(await groupLosses(test, examples.length, { recipe, parts }), report.expected.composed?.interval),
          baseCovered: shareWithin(await groupLosses(test, examples.length, { recipe, parts: [] }), report.expected.base?.interval),
        }),
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
if (!flags.json) printTables(runs);
