// `npm run bench -- spaces`: how delta space and factor space differ, on random factors and on the real bed; the tables of docs/spaces.md.
// The second part needs the real test bed (a `shared` folder beside the repository, or BRAID_SHARED). Nothing here is timed.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { combineFactors, type WeightedFactors } from '#kernels/lora/combine-factors.js';
import { createMixtureEvaluation } from '#src/compose/score-mixtures.js';
import { meanLoss } from '#src/compose/evaluation-ledger.js';
import { digestOf } from '#src/ids/ids.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { openRealBed, type PeerResult, type RealBed } from '#test/real/bed.js';
import { openBedEngine } from '../bench-engine.js';

// A query projection of SmolLM2-135M and the bed's adapters.
const WIDTH = 576;
const RANK = 16;
const TASKS = ['alphabetically_first_5', 'first_of_3_capitalized', 'park_country'];
const SEED = 0;

const random = SeededRandom.fromSeed(1);

function createRandomAdapter(): CanonicalAdapter {
  const fill = (): Float32Array => Float32Array.from({ length: RANK * WIDTH }, () => random.gaussian());
  return { modules: [{ layer: 0, class: 'q_proj', rank: RANK, scale: 2, a: fill(), b: fill() }] };
}

/** s·B·A [WIDTH, WIDTH], times a weight. */
function deltaOf({ modules: [module] }: CanonicalAdapter, weight = 1): Float64Array {
  const delta = new Float64Array(WIDTH * WIDTH);
  if (module === undefined) return delta;
  const { a, b, scale } = module;
  for (let out = 0; out < WIDTH; out++) {
    for (let r = 0; r < RANK; r++) {
      const factor = weight * scale * (b[out * RANK + r] ?? 0);
      for (let i = 0; i < WIDTH; i++) delta[out * WIDTH + i] = (delta[out * WIDTH + i] ?? 0) + factor * (a[r * WIDTH + i] ?? 0);
    }
  }
  return delta;
}

function sumOf(terms: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(WIDTH * WIDTH);
  for (const term of terms) for (const [i, x] of term.entries()) sum[i] = (sum[i] ?? 0) + x;
  return sum;
}

function norm(x: Float64Array): number {
  return Math.sqrt(x.reduce((sum, xi) => sum + xi * xi, 0));
}

/** ‖x − y‖/‖y‖ */
function relativeDifference(x: Float64Array, y: Float64Array): number {
  return norm(x.map((xi, i) => xi - (y[i] ?? 0))) / norm(y);
}

const inDelta = (parts: readonly WeightedFactors[]): Float64Array => sumOf(parts.map(({ adapter, weight }) => deltaOf(adapter, weight)));
const inFactor = (parts: readonly WeightedFactors[]): Float64Array => deltaOf(combineFactors(parts));

function compareRandom(): void {
  const adapters = Array.from({ length: 22 }, createRandomAdapter);
  const weigh = (count: number, weight: number): WeightedFactors[] => adapters.slice(0, count).map((adapter) => ({ adapter, weight }));

  print(
    ['one adapter at w', 'delta: share of its ΔW', 'factor: share of its ΔW'],
    [
      ...[0.25, 0.5, 1, 1.5].map((w) => {
        const whole = norm(inDelta(weigh(1, 1)));
        return [String(w), (norm(inDelta(weigh(1, w))) / whole).toFixed(4), (norm(inFactor(weigh(1, w))) / whole).toFixed(4)];
      }),
    ],
  );

  print(
    ['random adapters', 'each at', '‖factor‖ / ‖delta‖', '‖factor − delta‖ / ‖delta‖'],
    [2, 3, 5, 22].flatMap((count) =>
      [1 / count, 1].map((w) => {
        const [delta, factor] = [inDelta(weigh(count, w)), inFactor(weigh(count, w))];
        return [String(count), w.toFixed(3), (norm(factor) / norm(delta)).toFixed(3), relativeDifference(factor, delta).toFixed(3)];
      }),
    ),
  );

  const [first, second] = adapters;
  if (first === undefined || second === undefined) return;
  // −B·−A is B·A: the same adapter, written otherwise.
  const negated: CanonicalAdapter = {
    modules: second.modules.map((module) => ({ ...module, a: module.a.map((x) => -x), b: module.b.map((x) => -x) })),
  };
  const pair = (adapter: CanonicalAdapter): WeightedFactors[] => [first, adapter].map((one) => ({ adapter: one, weight: 0.5 }));
  print(
    ['the second of two at 0.5 written with A and B negated', 'the composition changes by'],
    [
      ['delta', relativeDifference(inDelta(pair(negated)), inDelta(pair(second))).toFixed(3)],
      ['factor', relativeDifference(inFactor(pair(negated)), inFactor(pair(second))).toFixed(3)],
    ],
  );
}

async function compareOnBed(bed: RealBed): Promise<void> {
  const names = bed.candidates;
  const digests = names.map((name) => digestOf(name));
  const engine = await openBedEngine(bed.modelDirectory, (digest) => bed.adapterDirectory(names[digests.indexOf(digest)] ?? ''));
  const codec = await loadTextCodec(bed.modelDirectory);
  const results = bed.peerResults as readonly (PeerResult & { readonly weights?: Readonly<Record<string, number>> })[];
  const rows: string[][] = [];
  for (const task of TASKS) {
    for (const method of ['lorahub40', 'delta40']) {
      const found = results.find((one) => one.task === task && one.seed === SEED && one.method === method);
      if (found?.weights === undefined) throw new Error(`the bed has no weights of ${method} on ${task}`);
      const { weights } = found;
      const train = bed.train(task);
      const examples = tokenizeExamples(parseExamples(found.examples.map((line) => train[line])), codec, engine.contextLength);
      const request = { weights: names.map((name) => weights[name] ?? 0), examples: examples.map((_, i) => i) };
      const losses = [];
      for (const space of ['factor', 'delta'] as const) {
        const [answer = []] = await createMixtureEvaluation({ engine, candidates: digests, examples, space })([request]);
        losses.push(meanLoss(answer).toFixed(3));
      }
      rows.push([
        task,
        method === 'lorahub40' ? 'LoraHub, in factor space' : 'the same search in delta space',
        ...losses,
        (found.loss ?? NaN).toFixed(3),
      ]);
    }
  }
  await engine.close();
  print(
    ['task, five examples', 'weights found by', 'loss in factor space', 'loss in delta space', 'PyTorch in the space of the search'],
    rows,
  );
}

function print(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

function findBed(): RealBed | undefined {
  try {
    return openRealBed();
  } catch (error) {
    process.stderr.write(`The real model is left out. ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

compareRandom();
const bed = findBed();
if (bed !== undefined) await compareOnBed(bed);
