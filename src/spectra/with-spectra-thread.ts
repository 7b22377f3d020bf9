// A thread for one request's decompositions, module by module: it ends with the request, whatever comes of it.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ThinProduct } from '#src/linear-algebra/thin-svd.js';
import type { ModuleOverlap } from './module-overlap.js';
import type { ModuleSpectrum } from './module-spectrum.js';

export type ThreadRequest =
  | { readonly kind: 'spectrum'; readonly module: ThinProduct }
  | { readonly kind: 'overlap'; readonly first: ThinProduct; readonly second: ThinProduct };

export interface ThreadAnswers {
  readonly spectrum: ModuleSpectrum;
  readonly overlap: ModuleOverlap;
}

/** What the thread computes; one call at a time. */
export interface SpectraThread {
  describeSpectrum(module: ThinProduct): Promise<ModuleSpectrum>;
  compareModules(first: ThinProduct, second: ThinProduct): Promise<ModuleOverlap>;
}

const THREAD_FILE = new URL('./spectra-thread.js', import.meta.url);

/**
 * @param signal ends the thread in the middle of a decomposition
 * @throws AbortError when the signal is given, and whatever the thread throws
 */
export async function withSpectraThread<Result>(signal: AbortSignal, use: (thread: SpectraThread) => Promise<Result>): Promise<Result> {
  const worker = new Worker(THREAD_FILE);
  const ask = async <Kind extends keyof ThreadAnswers>(request: ThreadRequest & { readonly kind: Kind }): Promise<ThreadAnswers[Kind]> => {
    worker.postMessage(request);
    // Also fails when the thread does.
    const [answer] = (await once(worker, 'message', { signal })) as [ThreadAnswers[Kind]];
    return answer;
  };
  try {
    await once(worker, 'online', { signal });
    return await use({
      describeSpectrum: (module) => ask({ kind: 'spectrum', module }),
      compareModules: (first, second) => ask({ kind: 'overlap', first, second }),
    });
  } finally {
    await worker.terminate();
  }
}
