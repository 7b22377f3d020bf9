// Cuts an adapter in a thread of its own: a decomposition takes up to seconds a module, and the hub's thread streams answers.
import { Worker } from 'node:worker_threads';
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { type CutAdapter } from './cut-adapter.js';

/** What the thread is given. */
export interface CutRequest {
  readonly adapter: CanonicalAdapter;
  readonly modules: readonly LinearModule[];
  readonly rank: number;
}

/** The nearest adapter of at most this rank, as `cutAdapter` finds it. */
export function cutInThread(adapter: CanonicalAdapter, modules: readonly LinearModule[], rank: number): Promise<CutAdapter> {
  const request: CutRequest = { adapter, modules, rank };
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./cut-thread-main.js', import.meta.url), { workerData: request });
    // A hub that stops does not wait for it.
    thread.unref();
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`the cutting thread ended with ${code}, without a result`)));
  });
}
