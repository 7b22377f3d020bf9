// A hub in a temporary data directory, with the real model and a choice of its adapters published over HTTP as a client would.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfiguration } from '#src/config/configuration.js';
import { createHub } from '#src/start-hub.js';
import { type Example, type RealBed } from './bed.js';

export interface MixturePart {
  readonly adapter: string;
  readonly weight: number;
}

/** What the tests read of OpenAI's answer. */
export interface CompletionAnswer {
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly logprobs: { readonly token_logprobs: readonly (number | null)[] } | null;
  }[];
}

interface Score {
  readonly loss: number;
  readonly objective: number;
}

/** What the tests read of a composition job's report. */
export interface ComposeReport {
  readonly base: Score;
  readonly uniform: Score;
  readonly singles: readonly (Score & { readonly adapter: string })[];
  readonly composed: Score;
  readonly evaluations: number;
}

export interface ComposeRequest {
  readonly name: string;
  readonly base: string;
  readonly examples: readonly Example[];
  readonly adapters: readonly string[];
  readonly seed: number;
}

export interface RealHub {
  readonly baseName: string;
  adapterName(adapter: string): string;
  complete(request: Record<string, unknown>): Promise<CompletionAnswer>;
  /** Runs a job to its end. */
  compose(request: ComposeRequest): Promise<{ readonly report: ComposeReport; readonly model: string }>;
  close(): Promise<void>;
}

export async function startRealHub(bed: RealBed, adapters: readonly string[]): Promise<RealHub> {
  const dataDir = mkdtempSync(join(tmpdir(), 'braid-real-'));
  const { app, url } = await createHub(parseConfiguration({ BRAID_DATA: dataDir, BRAID_PORT: '0', BRAID_LOG_LEVEL: 'warn' }));
  const baseName = 'HuggingFaceTB/SmolLM2-135M-Instruct';
  const adapterName = (adapter: string): string => `real/${adapter}`;

  async function call(path: string, init?: RequestInit): Promise<unknown> {
    const response = await fetch(`${url}${path}`, init);
    const body = await response.text();
    if (!response.ok) throw new Error(`${init?.method ?? 'GET'} ${path}: ${response.status} ${body}`);
    return JSON.parse(body);
  }
  const post = (path: string, body: unknown): Promise<unknown> =>
    call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

  await post('/api/base-models', { name: baseName, directory: bed.modelDirectory });
  for (const adapter of adapters) {
    const form = new FormData();
    form.set('name', adapterName(adapter));
    form.set('base', baseName);
    form.set('version', '1.0.0');
    for (const file of ['adapter_config.json', 'adapter_model.safetensors', 'README.md', 'examples.jsonl']) {
      form.set(file, new Blob([readFileSync(join(bed.adapterDirectory(adapter), file))]), file);
    }
    await call('/api/adapters', { method: 'POST', body: form });
  }

  return {
    baseName,
    adapterName,
    complete: async (request) => (await post('/v1/completions', request)) as CompletionAnswer,
    compose: async (request) => {
      const { id } = (await post('/api/compositions/jobs', request)) as { id: string };
      for (;;) {
        const job = (await call(`/api/compositions/jobs/${id}`)) as { status: string; error?: unknown };
        if (job.status === 'succeeded') break;
        if (job.status === 'failed' || job.status === 'cancelled') throw new Error(`job ${job.status}: ${JSON.stringify(job.error)}`);
        await sleep(200);
      }
      const { report } = (await call(`/api/compositions/${request.name}`)) as { report: ComposeReport };
      return { report, model: request.name };
    },
    close: async () => {
      await app.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
