// An evaluation that asks a store first: what any job has measured before is looked up, the rest is computed and written down before it is answered.
import { createHash } from 'node:crypto';
import type { Digest, RowId } from '#src/ids/ids.js';
import type { Space } from '#src/registry/composition-version.entity.js';
import type { Precision } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { Evaluate, EvaluationRequest, ExampleLoss } from '../evaluate.js';
import type { KnownLoss } from './evaluation-store.js';
import type { WeightVector } from '../objective.js';

/** Where evaluations are remembered; evaluation-store.ts keeps them in the database. */
export interface EvaluationMemory {
  find(keys: readonly string[]): Promise<ReadonlyMap<string, KnownLoss>>;
  /** @returns whether every one of them was new */
  add(baseModelId: RowId, losses: ReadonlyMap<string, KnownLoss>): Promise<boolean>;
}

/** What an evaluation's answer depends on, besides its request. */
export interface EvaluationScope {
  readonly base: { readonly id: RowId; readonly digest: Digest };
  /** Digests of the candidates, in the order of the weights. */
  readonly candidates: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  readonly space: Space;
  /** What the base computes in; answers of one precision say nothing of another's. */
  readonly precision: Precision;
}

// Written down after so many tokens: it is what a process that is killed loses at most, and enough to fill the engine's runs.
const MOST_TOKENS_PER_WRITE = 16_384;

/** An example under one weight vector, at its places in the answer. */
interface Wanted {
  readonly weights: WeightVector;
  readonly example: number;
}

/**
 * Wraps `inner` so that no example is evaluated twice under the same mixture, in this job or another, before or after a crash.
 * Answers are those that were written first, so a search that is run again takes the same path.
 */
export function createRememberingEvaluation(inner: Evaluate, memory: EvaluationMemory, scope: EvaluationScope): Evaluate {
  const exampleDigests = scope.examples.map(digestOfExample);

  return async (requests) => {
    const keys = requests.map((request) => {
      const mixture = digestOfMixture(request.weights, scope);
      return request.examples.map((example) => sha256(mixture, exampleDigests[example] ?? ''));
    });
    const wanted = new Map<string, Wanted>();
    for (const [i, { weights, examples }] of requests.entries()) {
      for (const [j, example] of examples.entries()) wanted.set(keys[i]?.[j] ?? '', { weights, example });
    }
    const known = new Map(await memory.find([...wanted.keys()]));
    for (const slice of sliceUnknown(wanted, known, scope.examples)) {
      const losses = await evaluateSlice(inner, slice);
      const agreed = (await memory.add(scope.base.id, losses)) ? losses : new Map([...losses, ...(await memory.find([...losses.keys()]))]);
      for (const [key, loss] of agreed) known.set(key, loss);
    }
    return requests.map(({ examples }, i) =>
      examples.map((example, j): ExampleLoss => {
        const loss = known.get(keys[i]?.[j] ?? '');
        if (loss === undefined) throw new Error('an evaluation was asked for and not answered');
        const { ids = [], from = 0 } = scope.examples[example] ?? {};
        return { ...loss, tokens: ids.length - from };
      }),
    );
  };
}

/** The unknown ones in the order they were asked for, cut where a write is due; a request's examples stay together while they fit. */
function sliceUnknown(
  wanted: ReadonlyMap<string, Wanted>,
  known: ReadonlyMap<string, KnownLoss>,
  examples: readonly TokenizedExample[],
): Map<string, Wanted>[] {
  const slices: Map<string, Wanted>[] = [];
  let tokens = Infinity;
  for (const [key, item] of wanted) {
    if (known.has(key)) continue;
    const length = examples[item.example]?.ids.length ?? 0;
    if (tokens + length > MOST_TOKENS_PER_WRITE) {
      slices.push(new Map());
      tokens = 0;
    }
    slices.at(-1)?.set(key, item);
    tokens += length;
  }
  return slices;
}

async function evaluateSlice(inner: Evaluate, slice: ReadonlyMap<string, Wanted>): Promise<Map<string, KnownLoss>> {
  const groups = new Map<WeightVector, { readonly keys: string[]; readonly examples: number[] }>();
  for (const [key, { weights, example }] of slice) {
    const group = groups.get(weights) ?? { keys: [], examples: [] };
    group.keys.push(key);
    group.examples.push(example);
    groups.set(weights, group);
  }
  const requests = [...groups].map(([weights, { examples }]): EvaluationRequest => ({ weights, examples }));
  const answers = await inner(requests);
  const losses = new Map<string, KnownLoss>();
  for (const [i, { keys }] of [...groups.values()].entries()) {
    for (const [j, key] of keys.entries()) {
      const answer = answers[i]?.[j];
      if (answer === undefined) throw new Error(`evaluate gave no answer for example ${j} of request ${i}`);
      losses.set(key, { nll: answer.nll, isExact: answer.isExact });
    }
  }
  return losses;
}

/** Weights are exact: a number's shortest text gives it back. Weight 0 is absence, and the order of candidates means nothing. */
function digestOfMixture(weights: WeightVector, { base, candidates, space, precision }: EvaluationScope): string {
  const terms = candidates
    .flatMap((digest, i) => {
      const weight = weights[i] ?? 0;
      return weight === 0 ? [] : [`${digest}=${weight}`];
    })
    .sort();
  return sha256('evaluation 1', base.digest, space, precision, ...terms);
}

function digestOfExample({ ids, from }: TokenizedExample): string {
  return sha256(String(from), ids.join());
}

/** Hex; no part may hold a line break. */
function sha256(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}
