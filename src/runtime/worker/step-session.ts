// One step program in an ONNX Runtime session: opens it, turns a call into feeds and outputs into a result.
import type { StepProgram } from '#kernels/decode/step-program.js';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { createQuietLists } from '../listed-tokens.js';
import { AdapterFeeds } from './adapter-feeds.js';
import { releaseBlock, type KvBlock, type KvStore, type LayerKv } from './kv-store.js';
import type { PageBank } from './page-bank.js';
import type { Provider, RunCall, RunResult, TokenPacking } from './protocol.js';

type Ort = typeof import('onnxruntime-node');
type Feeds = Record<string, Tensor>;

export class StepSession {
  private readonly adapterFeeds: AdapterFeeds;

  private constructor(
    private readonly ort: Ort,
    private readonly session: InferenceSession,
    readonly program: Omit<StepProgram, 'model'>,
    pageRank: number,
  ) {
    this.adapterFeeds = new AdapterFeeds(ort.Tensor, program, pageRank);
  }

  static async open(
    ort: Ort,
    program: StepProgram,
    options: { directory: string; provider: Provider; threads: number; pageRank: number },
  ): Promise<StepSession> {
    const session = await ort.InferenceSession.create(program.model, createSessionOptions(options));
    const { model: _model, ...facts } = program;
    return new StepSession(ort, session, facts, options.pageRank);
  }

  async release(): Promise<void> {
    this.adapterFeeds.clear();
    await this.session.release();
  }

  /** Runs the call; caches are taken from and put into `store` as the call says. */
  async run(call: RunCall, bank: PageBank, store: KvStore): Promise<RunResult> {
    const past = call.cache.isContinued ? store.take(call.cache.keys, call.pastLengths) : undefined;
    const feeds = {
      ...this.createStepFeeds(call),
      ...this.createAdjustmentFeeds(call),
      ...this.createCacheFeeds(call.rows, past),
      ...this.adapterFeeds.create(call, bank),
    };
    const outputs = await this.session.run(feeds, this.listOutputs(call));
    if (past !== undefined) releaseBlock(past);
    if (call.cache.isKept) store.add(this.readCache(call.cache.keys, outputs));
    const tokens = getOutput(outputs, 'tokens');
    return {
      steps: tokens.dims[0] ?? 0,
      tokens: asInt64(tokens),
      logprobs: asFloat32(getOutput(outputs, 'logprobs')),
      topIds: asInt64(getOutput(outputs, 'topIds')),
      topValues: asFloat32(getOutput(outputs, 'topValues')),
      hidden: call.hiddenPositions.length > 0 ? asFloat32(getOutput(outputs, 'hidden')) : new Float32Array(0),
    };
  }

  private createStepFeeds(call: RunCall): Feeds {
    const { Tensor } = this.ort;
    const { rows, columns } = call;
    const packing = call.packing ?? createPlainPacking(rows, columns);
    // WebGPU does not survive empty tensors: there one place is read that nobody asks for.
    const isSpare = call.hiddenPositions.length === 0 && this.program.provider !== 'cpu';
    const hiddenPositions = isSpare ? new BigInt64Array(2) : call.hiddenPositions;
    const { source } = call;
    return {
      ...(source && {
        sourceIds: new Tensor('int64', source.ids, [source.lengths.length, source.ids.length / source.lengths.length]),
        sourceLengths: new Tensor('int32', source.lengths, [source.lengths.length]),
      }),
      ids: new Tensor('int64', call.ids, [rows, columns]),
      uniquePlaces: new Tensor('int64', packing.uniquePlaces, [packing.lines, packing.uniquePlaces.length / packing.lines]),
      tokenOfPlace: new Tensor('int64', packing.tokenOfPlace, [rows, columns]),
      lengths: new Tensor('int32', call.lengths, [rows]),
      pastLengths: new Tensor('int32', call.pastLengths, [rows]),
      positions: new Tensor('int64', call.positions, [call.targets.length, 2]),
      targets: new Tensor('int64', call.targets, [call.targets.length]),
      steps: new Tensor('int64', BigInt64Array.of(BigInt(call.steps)), []),
      done: new Tensor('bool', new Uint8Array(rows), [rows]),
      stopTokens: new Tensor('int64', call.stopTokens, [rows, call.stopTokens.length / rows]),
      temperature: new Tensor('float32', call.temperature, [rows]),
      topK: new Tensor('int32', call.topK, [rows]),
      topP: new Tensor('float32', call.topP, [rows]),
      minP: new Tensor('float32', call.minP, [rows]),
      uniforms: new Tensor('float32', call.uniforms, [call.steps, rows]),
      topLogprobs: new Tensor('int64', BigInt64Array.of(BigInt(call.topLogprobs)), []),
      hiddenPositions: new Tensor('int64', hiddenPositions, [hiddenPositions.length / 2, 2]),
    };
  }

  private createAdjustmentFeeds({ rows, adjustments }: RunCall): Feeds {
    const { Tensor } = this.ort;
    const lists = adjustments ?? createQuietLists(rows, 1);
    const listed = [rows, lists.places];
    return {
      isAdjusting: new Tensor('bool', Uint8Array.of(Number(adjustments !== undefined)), []),
      listedTokens: new Tensor('int64', lists.tokens, listed),
      listedCounts: new Tensor('float32', lists.counts, listed),
      isPrompted: new Tensor('bool', lists.isPrompted, listed),
      logitBias: new Tensor('float32', lists.bias, listed),
      bannedSteps: new Tensor('int64', lists.bannedSteps, listed),
      isListedOnly: new Tensor('bool', lists.isListedOnly, [rows]),
      repetitionPenalty: new Tensor('float32', lists.repetitionPenalty, [rows]),
      presencePenalty: new Tensor('float32', lists.presencePenalty, [rows]),
      frequencyPenalty: new Tensor('float32', lists.frequencyPenalty, [rows]),
    };
  }

  private createCacheFeeds(rows: number, past: KvBlock | undefined): Feeds {
    const { layers, kvHeads, headDim } = this.program;
    const dims = [rows, kvHeads, past?.columns ?? 0, headDim];
    const empty = new this.ort.Tensor('float32', new Float32Array(0), [rows, kvHeads, 0, headDim]);
    const feeds: Feeds = {};
    for (let layer = 0; layer < layers; layer++) {
      const cache = past?.layers[layer];
      feeds[`pastKey.${layer}`] = cache === undefined ? empty : new this.ort.Tensor('float32', cache.key, dims);
      feeds[`pastValue.${layer}`] = cache === undefined ? empty : new this.ort.Tensor('float32', cache.value, dims);
    }
    return feeds;
  }

  private listOutputs(call: RunCall): string[] {
    const names = ['tokens', 'logprobs', 'topIds', 'topValues', ...(call.hiddenPositions.length > 0 ? ['hidden'] : [])];
    if (!call.cache.isKept) return names;
    for (let layer = 0; layer < this.program.layers; layer++) names.push(`key.${layer}`, `value.${layer}`);
    return names;
  }

  private readCache(keys: readonly number[], outputs: InferenceSession.OnnxValueMapType): KvBlock {
    const layers: LayerKv[] = [];
    let columns = 0;
    for (let layer = 0; layer < this.program.layers; layer++) {
      const key = getOutput(outputs, `key.${layer}`);
      layers.push({ key: asFloat32(key), value: asFloat32(getOutput(outputs, `value.${layer}`)) });
      columns = key.dims[2] ?? 0;
    }
    return { keys, columns, layers };
  }
}

export function createSessionOptions({
  directory,
  provider,
  threads,
}: {
  directory?: string;
  provider: Provider;
  threads: number;
}): InferenceSession.SessionOptions {
  return {
    executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Errors only: the provider's hints about nodes it leaves to the CPU are for us, not for a log.
    logSeverityLevel: 3,
    extra: {
      session: {
        ...(directory === undefined ? {} : { model_external_initializers_file_folder_path: directory }),
        // Threads that spin after a run would take the cores from the hub's own.
        force_spinning_stop: '1',
      },
    },
  };
}

/** Every place its own token. */
function createPlainPacking(rows: number, columns: number): TokenPacking {
  const places = BigInt64Array.from({ length: rows * columns }, (_, place) => BigInt(place));
  return { lines: rows, uniquePlaces: places, tokenOfPlace: places };
}

function getOutput(outputs: InferenceSession.OnnxValueMapType, name: string): Tensor {
  const output = outputs[name];
  if (output === undefined) throw new Error(`the program has no output ${name}`);
  return output;
}

function asFloat32({ data }: Tensor): Float32Array {
  if (!(data instanceof Float32Array)) throw new TypeError('expected float32');
  return data;
}

function asInt64({ data }: Tensor): BigInt64Array {
  if (!(data instanceof BigInt64Array)) throw new TypeError('expected int64');
  return data;
}
