// How much longer composing takes among ten thousand adapters than among the 22 real ones: describing the task, comparing all signatures,
// and a search over 32 candidates instead of 22. Copies of real adapters stand for the synthetic ones, which have no weights.
import type { Candidate } from '#src/compose/report.js';
import { LORAHUB_OBJECTIVE } from '#src/compose/objective.js';
import { measureLikelihood } from '#src/compose/objectives/likelihood.js';
import { LIKELIHOOD } from '#src/compose/objectives/objectives.js';
import { runSearch } from '#src/compose/run-search.js';
import { MOST_RETRIEVED } from '#src/compose/stages/retrieve.js';
import { parseStrategy } from '#src/compose/strategy.js';
import { type Digest, digestOf, parseRepoName, parseVersion } from '#src/ids/ids.js';
import type { Engine } from '#src/runtime/engine.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';

const BUDGET = 200;

export interface RetrievalTime {
  readonly retrieveSeconds: number;
  /** Of the search over the retrieved ones. */
  readonly searchSeconds: number;
  /** Of the search over the real ones. */
  readonly realSeconds: number;
  readonly ratio: number;
}

export interface TimeOptions {
  readonly engine: Engine;
  readonly candidates: readonly Digest[];
  /** As many other digests of the same adapters. */
  readonly copies: readonly Digest[];
  readonly examples: readonly TokenizedExample[];
  /** Describes the task and retrieves. */
  readonly retrieve: () => Promise<unknown>;
}

export async function measureTime({ engine, candidates, copies, examples, retrieve }: TimeOptions): Promise<RetrievalTime> {
  const search = (digests: readonly Digest[]): Promise<number> =>
    timed(() =>
      runSearch({
        engine,
        base: { name: parseRepoName('real/base'), digest: digestOf('base') },
        candidates: digests.map((digest, i): Candidate => ({
          adapter: parseRepoName(`real/a${i}`),
          version: parseVersion('1.0.0'),
          digest,
        })),
        examples: measureLikelihood(examples),
        objective: { ...LIKELIHOOD, ...LORAHUB_OBJECTIVE },
        examplesDigest: digestOf(JSON.stringify(examples)),
        strategy: parseStrategy('weave'),
        space: 'delta',
        seed: 1,
        budget: BUDGET,
      }),
    );
  const retrieved = [...candidates, ...copies].slice(0, MOST_RETRIEVED);
  // Adapters are read once; the first search is not to pay for both.
  await engine.score(
    retrieved.flatMap((digest) => examples.slice(0, 1).map((example) => ({ ...example, mixture: [{ digest, weight: 1 }] }))),
    {},
  );
  const retrieveSeconds = await timed(retrieve);
  const searchSeconds = await search(retrieved);
  const realSeconds = await search(candidates);
  return { retrieveSeconds, searchSeconds, realSeconds, ratio: (retrieveSeconds + searchSeconds) / realSeconds };
}

export function writeTime({ retrieveSeconds, searchSeconds, realSeconds, ratio }: RetrievalTime): string {
  const seconds = (value: number): string => `${value.toFixed(1)} s`;
  return `Composing among them takes ${ratio.toFixed(2)} times as long as over the real ones: retrieval ${seconds(retrieveSeconds)}, search over ${MOST_RETRIEVED} ${seconds(searchSeconds)}; over the real ones ${seconds(realSeconds)}.\n`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
