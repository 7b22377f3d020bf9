// An evaluation that other processes help with: a batch is cut into tasks, whoever is free does one, and the job's own process does its part.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RowId } from '#src/ids/ids.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { Evaluate, EvaluationRequest, ExampleLoss } from '../evaluate.js';
import type { EvaluationTask, EvaluationTaskStore, TaskLosses, TaskWork } from './evaluation-task.store.js';
import type { EvaluationScope } from './remember-evaluations.js';

export interface Sharing {
  readonly tasks: EvaluationTaskStore;
  readonly jobId: RowId;
  /** Names this process in leases. */
  readonly owner: RowId;
  readonly scope: EvaluationScope;
  /** Other processes that are there to help. */
  readonly countOthers: () => Promise<number>;
  readonly signal?: AbortSignal | undefined;
}

// Less work than this is done sooner than it is handed over.
const FEWEST_TOKENS_PER_TASK = 128;
// How soon the end of another process's task is seen.
const POLL_MS = 20;
const RENEWAL_MS = 3_000;

/** One example under one weight vector: request `request`, at place `place` of its examples. */
interface Unit {
  readonly request: number;
  readonly place: number;
}

/**
 * Wraps `here`, which evaluates in this process; without other processes it is `here`.
 * @throws what `here` throws; the signal's reason when it is aborted. Faults of other processes are made good here.
 */
export function createSharedEvaluation(here: Evaluate, sharing: Sharing): Evaluate {
  const { tasks, jobId, owner, scope, countOthers, signal } = sharing;
  return async (requests) => {
    const parts = cutEvenly(requests, scope.examples, (await countOthers()) + 1);
    if (parts.length < 2) return here(requests);
    const own = parts.map((part) => gatherRequests(part, requests));
    await tasks.replace(
      jobId,
      scope.base.id,
      own.map((gathered) => createWork(gathered, scope)),
    );
    try {
      for (;;) {
        signal?.throwIfAborted();
        const task = await tasks.claim(owner, { jobId });
        if (task !== undefined) {
          await doTask(task, { tasks, owner, evaluate: ({ position }) => here(own[position] ?? []) });
          continue;
        }
        const losses = await tasks.collect(jobId);
        if (losses !== undefined) return merge(requests, parts, losses);
        await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
      }
    } finally {
      await tasks.clear(jobId);
    }
  };
}

/** Does a leased task while it is renewed; a task that is not ours any more is left. @throws what `evaluate` throws, with the task released */
export async function doTask(
  task: EvaluationTask,
  {
    tasks,
    owner,
    evaluate,
  }: { tasks: EvaluationTaskStore; owner: RowId; evaluate: (task: EvaluationTask, signal: AbortSignal) => Promise<TaskLosses> },
): Promise<void> {
  const lost = new AbortController();
  const renewal = setInterval(() => {
    tasks.renew(task, owner).then(
      (isHeld) => (isHeld ? undefined : lost.abort(new Error('the task was taken over'))),
      // The lease outlives a missed renewal.
      () => undefined,
    );
  }, RENEWAL_MS);
  try {
    await tasks.finish(task, owner, await evaluate(task, lost.signal));
  } catch (error) {
    if (lost.signal.aborted) return;
    await tasks.release(task, owner);
    throw error;
  } finally {
    clearInterval(renewal);
  }
}

/** At most `wanted` parts of about equal numbers of tokens, neighbours together: they share their adapters. */
function cutEvenly(requests: readonly EvaluationRequest[], examples: readonly TokenizedExample[], wanted: number): Unit[][] {
  const units = requests.flatMap(({ examples: own }, request) => own.map((_, place): Unit => ({ request, place })));
  const tokensOf = ({ request, place }: Unit): number => examples[requests[request]?.examples[place] ?? -1]?.ids.length ?? 0;
  const total = units.reduce((sum, unit) => sum + tokensOf(unit), 0);
  const count = Math.max(1, Math.min(wanted, units.length, Math.floor(total / FEWEST_TOKENS_PER_TASK)));
  const parts = Array.from({ length: count }, (): Unit[] => []);
  let before = 0;
  for (const unit of units) {
    parts[Math.min(count - 1, Math.floor((before * count) / Math.max(1, total)))]?.push(unit);
    before += tokensOf(unit);
  }
  return parts.filter((part) => part.length > 0);
}

/** The units of a part as requests, in their order. */
function gatherRequests(part: readonly Unit[], requests: readonly EvaluationRequest[]): EvaluationRequest[] {
  const gathered = new Map<number, number[]>();
  for (const { request, place } of part) {
    const examples = gathered.get(request) ?? [];
    examples.push(requests[request]?.examples[place] ?? -1);
    gathered.set(request, examples);
  }
  return [...gathered].map(([request, examples]) => ({ weights: requests[request]?.weights ?? [], examples }));
}

/** With the examples that are needed, under numbers of their own. */
function createWork(requests: readonly EvaluationRequest[], scope: EvaluationScope): TaskWork {
  const used = [...new Set(requests.flatMap(({ examples }) => examples))];
  return {
    candidates: scope.candidates,
    examples: used.flatMap((example) => scope.examples[example] ?? []),
    requests: requests.map(({ weights, examples }) => ({ weights, examples: examples.map((example) => used.indexOf(example)) })),
    space: scope.space,
    precision: scope.precision,
  };
}

function merge(
  requests: readonly EvaluationRequest[],
  parts: readonly (readonly Unit[])[],
  losses: readonly TaskLosses[],
): ExampleLoss[][] {
  const merged = requests.map(({ examples }): ExampleLoss[] => new Array<ExampleLoss>(examples.length));
  for (const [i, part] of parts.entries()) {
    // A task's losses in the order of its requests and their examples are those of its units: neighbours of one request stay in order.
    const flat = losses[i]?.flat() ?? [];
    if (flat.length !== part.length) throw new Error(`task ${i} answered ${flat.length} examples of ${part.length}`);
    for (const [j, { request, place }] of part.entries()) {
      const row = merged[request];
      const loss = flat[j];
      if (row !== undefined && loss !== undefined) row[place] = loss;
    }
  }
  return merged;
}
