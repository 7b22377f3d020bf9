// One Braid engine on the bed, and the things that the bench times with it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { listLinearModules } from '#kernels/models/models.js';
import { loadBaseModelFiles } from '#src/base-models/load-base-model-files.js';
import { type Digest, digestOf } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { type Mixture, type ScorePrecision, type ScoreRow } from '#src/runtime/engine.js';
import { type EngineOptions, type ModelEngine, openEngine } from '#src/runtime/model-engine.js';
import { type Bed, tokenIds } from './bed.js';

// As in peers/peft_peer.py.
const ROWS = 5;
const LENGTH = 64;
const ANSWER = 16;
const DECODE_ROWS = 8;
const PROMPT = 128;
const STEPS = 64;
const STREAMED = 256;

export interface BenchEngine {
  /** Milliseconds of one scoring call of `population` weight vectors, each over 5 rows × 64 tokens, the last 16 scored. */
  evaluate(population: number, seed: number, precision?: ScorePrecision): Promise<number>;
  /** Tokens per second of 8 rows, each under an adapter of its own. */
  decodeMixed(): Promise<number>;
  /** Tokens per second of 8 rows of the base alone. */
  decodeBase(): Promise<number>;
  /** Milliseconds between the deliveries of one streamed row under an adapter, alone or while a search scores populations in the background. */
  streamGaps(isSearching: boolean): Promise<number[]>;
  close(): Promise<void>;
}

/** Where an engine of the bench computes, and what it answers in. @default the CPU, in float32 */
export type BenchPlace = Partial<Pick<EngineOptions, 'provider' | 'precision'>>;

export async function openBenchEngine(bed: Bed, place: BenchPlace = {}): Promise<BenchEngine> {
  const digests = bed.adapterNames.map((name) => digestOf(name));
  const engine = await openBedEngine(
    bed.modelDirectory,
    (digest) => {
      const name = bed.adapterNames[digests.indexOf(digest)];
      if (name === undefined) throw new Error(`no adapter ${digest}`);
      return join(bed.adaptersDirectory, name);
    },
    place,
  );

  const decode = async (mixtures: readonly Mixture[]): Promise<number> => (await measureRates(engine, mixtures)).decode;
  const populationRows = (population: number, seed: number): ScoreRow[] => {
    const rows: ScoreRow[] = [];
    for (let candidate = 0; candidate < population; candidate++) {
      const mixture = digests.map((digest, i) => ({ digest, weight: (((seed + 3 + candidate) * 7 + i * 13) % 20) / 100 - 0.1 }));
      for (let row = 0; row < ROWS; row++) rows.push({ ids: tokenIds(row, LENGTH), from: LENGTH - ANSWER, mixture });
    }
    return rows;
  };
  return {
    evaluate: (population, seed, precision = 'float32') => timed(() => engine.score(populationRows(population, seed), { precision })),
    streamGaps: async (isSearching) => {
      const search = { isOn: isSearching };
      const searching = (async () => {
        for (let seed = 0; search.isOn; seed++) await engine.score(populationRows(DECODE_ROWS, seed), { background: true });
      })();
      const gaps = await streamOne(engine, [{ digest: digests[0] ?? digestOf(''), weight: 1 }]);
      search.isOn = false;
      await searching;
      return gaps;
    },
    decodeMixed: () => decode(digests.slice(0, DECODE_ROWS).map((digest) => [{ digest, weight: 1 }])),
    decodeBase: () => decode(Array.from({ length: DECODE_ROWS }, () => [])),
    close: () => engine.close(),
  };
}

/** Tokens per second. */
export interface Rates {
  readonly prefill: number;
  readonly decode: number;
}

/** Of rows of 128 tokens of prompt and 64 of answer, one under each mixture. */
export async function measureRates(engine: ModelEngine, mixtures: readonly Mixture[]): Promise<Rates> {
  const prefillMs = await timed(() => generate(engine, mixtures, 1));
  const wholeMs = await timed(() => generate(engine, mixtures, STEPS));
  const perSecond = (tokens: number, ms: number): number => (mixtures.length * tokens * 1000) / ms;
  return { prefill: perSecond(PROMPT, prefillMs), decode: perSecond(STEPS - 1, wholeMs - prefillMs) };
}

/** An engine on a model directory; `locate` finds an adapter's folder. */
export async function openBedEngine(
  modelDirectory: string,
  locate: (digest: Digest) => string,
  place: BenchPlace = {},
): Promise<ModelEngine> {
  const { directory, config, tensors } = await loadBaseModelFiles(modelDirectory);
  const modules = listLinearModules(config);
  return openEngine({
    directory,
    config,
    tensors,
    provider: 'cpu',
    threads: availableParallelism(),
    maxBatchRows: 16,
    maxQueue: 256,
    adapterMemoryBytes: 1024 * 1024 * 1024,
    ...place,
    adapters: {
      load: (digest) => Promise.resolve(readAdapterFolder(locate(digest), modules)),
    },
  });
}

function readAdapterFolder(folder: string, modules: readonly LinearModule[]): CanonicalAdapter {
  const config = parseAdapterConfig(readFileSync(join(folder, 'adapter_config.json')));
  return readPeftAdapter(config, readFileSync(join(folder, 'adapter_model.safetensors')), modules);
}

async function generate(engine: ModelEngine, mixtures: readonly Mixture[], maxTokens: number): Promise<void> {
  await Promise.all(
    mixtures.map(async (mixture, row) => {
      const request = {
        ids: tokenIds(row, PROMPT),
        mixture,
        maxTokens,
        stopTokens: [],
        sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
        topLogprobs: 0,
        stream: false,
      };
      let tokens = 0;
      for await (const _token of engine.generate(request)) tokens++;
      if (tokens !== maxTokens) throw new Error(`row ${row}: ${tokens} tokens instead of ${maxTokens}`);
    }),
  );
}

async function streamOne(engine: ModelEngine, mixture: Mixture): Promise<number[]> {
  const request = {
    ids: tokenIds(0, PROMPT),
    mixture,
    maxTokens: STREAMED,
    stopTokens: [],
    sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
    topLogprobs: 0,
    stream: true,
  };
  const gaps: number[] = [];
  let last: number | undefined;
  for await (const _token of engine.generate(request)) {
    const now = performance.now();
    // Tokens of one run come together.
    if (last !== undefined && now - last > 1) gaps.push(now - last);
    last = now;
  }
  return gaps;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
