// The runs that retrieval is judged by: which examples a task was given by, and which real adapters a search over all of them took.
import { readFileSync } from 'node:fs';

export interface Run {
  readonly task: string;
  readonly seed: number;
  /** Line numbers in the task's train.jsonl, from 0. */
  readonly examples: readonly number[];
  /** Heaviest first, where weights are known. */
  readonly picks: readonly string[];
}

interface Line {
  readonly task: string;
  readonly seed: number;
  readonly method?: string;
  readonly picks?: readonly string[];
  readonly weights?: Readonly<Record<string, number>>;
  readonly examples?: readonly number[];
}

const METHOD = 'fs200';
// Six adapters get a weight in every run of this method; those below do little.
const LEAST_WEIGHT = 0.3;

/**
 * Runs of `file`; a line without line numbers of examples has those of `drawn` for the same task and seed.
 * @throws Error when a line names a task and seed that `drawn` does not have
 */
export function readRuns(file: string, drawn: string): Run[] {
  const examples = new Map(readLines(drawn).map((line) => [`${line.task} ${line.seed}`, line.examples ?? []]));
  return readLines(file).flatMap((line): Run[] => {
    const picks = line.picks ?? (line.method === METHOD && line.weights !== undefined ? heaviest(line.weights) : undefined);
    if (picks === undefined) return [];
    const lines = line.examples ?? examples.get(`${line.task} ${line.seed}`);
    if (lines === undefined) throw new Error(`no examples are known for ${line.task}, seed ${line.seed}: give their line numbers`);
    return [{ task: line.task, seed: line.seed, examples: lines, picks }];
  });
}

function heaviest(weights: Readonly<Record<string, number>>): string[] {
  return Object.entries(weights)
    .filter(([, weight]) => Math.abs(weight) >= LEAST_WEIGHT)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([name]) => name);
}

function readLines(file: string): Line[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Line);
}
