// `npm run bench -- precisions`: what rounding the base costs in quality, on the real bed's tasks under the compositions that were found for them.
//   npm run bench -- precisions [--tasks a,b] [--examples 100]
// Adapters and their weights are the same in every column. Loss is in nats an answer; exact match is of the first line of eight greedy tokens.
import { parseArgs } from 'node:util';
import { digestOf } from '#src/ids/ids.js';
import type { Mixture, ServingPrecision } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { parseExamples, type TokenizedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { openRealBed } from '#test/real/bed.js';
import { openBedEngine } from './bench-engine.js';
import { mean } from './statistics.js';

const PRECISIONS: readonly ServingPrecision[] = ['float32', 'int8', 'int4'];
const ANSWER_TOKENS = 8;

const { values: flags } = parseArgs({
  options: { tasks: { type: 'string' }, examples: { type: 'string', default: '100' } },
  // The bench's own name.
  allowPositionals: true,
});
const count = Number(flags.examples);
if (!Number.isInteger(count) || count < 1) throw new Error(`--examples must be a whole number above 0, not ${flags.examples}`);

const bed = openRealBed();
const names = bed.adapterNames;
const digests = names.map((name) => digestOf(name));
const codec = await loadTextCodec(bed.modelDirectory);
const tasks = (flags.tasks?.split(',') ?? bed.tasks).map((task) => {
  const found = bed.peerResults.find((result) => result.task === task && result.seed === 0 && result.method === 'fs200');
  if (found?.weights === undefined) throw new Error(`no composition for the task ${task}: the tasks are ${bed.tasks.join(', ')}`);
  const mixture = Object.entries(found.weights).map(([name, weight]) => ({ digest: digestOf(name), weight }));
  return { task, mixture, test: bed.test(task).slice(0, count) };
});

interface Quality {
  readonly loss: number;
  readonly exact: number;
}
const results = new Map<ServingPrecision, Quality[]>();
for (const precision of PRECISIONS) {
  const engine = await openBedEngine(bed.modelDirectory, (digest) => bed.adapterDirectory(names[digests.indexOf(digest)] ?? ''), {
    precision,
  });
  const found: Quality[] = [];
  for (const { task, mixture, test } of tasks) {
    const examples = tokenizeExamples(parseExamples(test), codec, engine.contextLength);
    const scores = await engine.score(
      examples.map(({ ids, from }) => ({ ids, from, mixture })),
      { precision },
    );
    const losses = scores.map(({ logprobs }) => -logprobs.reduce((sum, value) => sum + value, 0));
    const answers = await Promise.all(examples.map((example) => answer(engine, example, mixture)));
    const exact = answers.filter((text, i) => text === test[i]?.completion.trim()).length / test.length;
    found.push({ loss: mean(losses), exact });
    process.stderr.write(`${precision} ${task}: loss ${mean(losses).toFixed(3)}, exact match ${exact.toFixed(2)}\n`);
  }
  results.set(precision, found);
  await engine.close();
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const cells = (qualityOf: (found: readonly Quality[]) => Quality | undefined): string[] =>
  PRECISIONS.map((precision) => {
    const quality = qualityOf(results.get(precision) ?? []);
    return `${quality?.loss.toFixed(3)} / ${quality?.exact.toFixed(2)}`;
  });
process.stdout.write(
  `loss / exact match on ${count} test examples a task\n\n${line(['task', ...PRECISIONS])}${line(['---', ...PRECISIONS.map(() => '---:')])}`,
);
for (const [i, { task }] of tasks.entries()) process.stdout.write(line([task, ...cells((found) => found[i])]));
const total = (found: readonly Quality[]): Quality => ({
  loss: mean(found.map(({ loss }) => loss)),
  exact: mean(found.map(({ exact }) => exact)),
});
process.stdout.write(line(['**mean**', ...cells(total)]));

async function answer(engine: ModelEngine, { ids, from }: TokenizedExample, mixture: Mixture): Promise<string> {
  const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const request = {
    ids: ids.slice(0, from),
    mixture,
    maxTokens: ANSWER_TOKENS,
    stopTokens: codec.eosTokenIds,
    sampling,
    topLogprobs: 0,
    stream: false,
  };
  const tokens: number[] = [];
  for await (const { id } of engine.generate(request)) tokens.push(id);
  const [first = ''] = codec.decode(tokens, { skipSpecialTokens: true }).trim().split('\n');
  return first.trim();
}
