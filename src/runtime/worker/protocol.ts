// The messages between an engine and its worker process. Requests carry an id and are answered in the order they were sent.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import type { Provider } from '#kernels/decode/step-program.js';
import type { ModelConfig } from '#kernels/models/models.js';
import type { TensorIndex } from '#kernels/models/tensor-index.js';
import type { ScorePrecision, ServingPrecision } from '../engine.js';

export type { Provider } from '#kernels/decode/step-program.js';

export interface WorkerSettings {
  readonly directory: string;
  readonly config: ModelConfig;
  readonly tensors: TensorIndex;
  /** Classes that sessions reach from the beginning. */
  readonly adapterClasses: readonly LinearClass[];
  readonly provider: Provider;
  /** What is generated in: the session that stays open. */
  readonly precision: ServingPrecision;
  /** Threads inside an operator. */
  readonly threads: number;
  readonly pageRank: number;
  /** The other sessions hold copies of the weights; each is released after this long without use. */
  readonly idleSessionMs: number;
}

/** Which pages one class of linear layers reads in a run, and how strongly. */
export interface ClassSlots {
  readonly class: LinearClass;
  /** 1: every row reads the same pages; otherwise the number of rows, or of lines of packed tokens. */
  readonly groups: number;
  readonly slotsPerGroup: number;
  /** [groups, slotsPerGroup] page numbers. */
  readonly slots: BigInt64Array;
  /** [rows, slotsPerGroup · pageRank], or a row for each line of packed tokens; the adapter's own scale is already in its pages. */
  readonly scale: Float32Array;
  /** The same shape: the weight at directions that are gains, 0 at the others. Present when some row has a gain here. */
  readonly gainScale?: Float32Array;
}

/** Which tokens a run computes, once for all places where they stand. Shapes as in kernels/decode/packing.ts; c = lines, one a mixture. */
export interface TokenPacking {
  readonly lines: number;
  /** [c, u] */
  readonly uniquePlaces: BigInt64Array;
  /** [b, t] */
  readonly tokenOfPlace: BigInt64Array;
}

/** What an encoder reads; only of models that have one. */
export interface SourceTexts {
  /** [c, s], right-padded: one for each line of tokens, or each row where nothing is packed */
  readonly ids: BigInt64Array;
  /** [c] */
  readonly lengths: Int32Array;
}

/** Which logits a run adjusts before it chooses by them; see kernels/decode/logit-adjustments.ts. b = rows, q = places. */
export interface AdjustmentLists {
  readonly places: number;
  /** [b, q] each */
  readonly tokens: BigInt64Array;
  readonly counts: Float32Array;
  readonly isPrompted: Uint8Array;
  readonly bias: Float32Array;
  readonly bannedSteps: BigInt64Array;
  /** [b] each */
  readonly isListedOnly: Uint8Array;
  readonly repetitionPenalty: Float32Array;
  readonly presencePenalty: Float32Array;
  readonly frequencyPenalty: Float32Array;
}

/** Which stored key/value caches a run reads and leaves, by row. */
export interface CachePlan {
  /** The rows' keys, in order; empty when the run neither reads nor leaves caches. */
  readonly keys: readonly number[];
  /** The rows go on from their stored caches. */
  readonly isContinued: boolean;
  /** The caches are fetched and stored for a later run. */
  readonly isKept: boolean;
}

/** One run of the step program; b = rows, t = columns, m = positions. Shapes as in kernels/decode. */
export interface RunCall {
  readonly application: 'factored' | 'merged';
  /** @default 'float32' */
  readonly precision?: ScorePrecision;
  readonly rows: number;
  readonly columns: number;
  /** [b, t], right-padded */
  readonly ids: BigInt64Array;
  /** Only in runs of one step without caches. @default every place its own token, every row its own line */
  readonly packing?: TokenPacking;
  readonly source?: SourceTexts;
  /** [b] */
  readonly lengths: Int32Array;
  /** [b] */
  readonly pastLengths: Int32Array;
  /** [m, 2] */
  readonly positions: BigInt64Array;
  /** [m]; −1: the model chooses */
  readonly targets: BigInt64Array;
  readonly steps: number;
  /** [b, e] */
  readonly stopTokens: BigInt64Array;
  /** [b] each */
  readonly temperature: Float32Array;
  readonly topK: Int32Array;
  readonly topP: Float32Array;
  readonly minP: Float32Array;
  /** Absent where no row has any. */
  readonly adjustments?: AdjustmentLists;
  /** [steps, b] */
  readonly uniforms: Float32Array;
  readonly topLogprobs: number;
  /** [h, 2] places whose hidden states are wanted; only in runs of one step */
  readonly hiddenPositions: BigInt64Array;
  /** Only the classes that some row uses. */
  readonly lora: readonly ClassSlots[];
  readonly cache: CachePlan;
}

/** k' = steps done; m = positions, n = topLogprobs, h = hidden positions, d = hidden size. */
export interface RunResult {
  readonly steps: number;
  /** [k', m] */
  readonly tokens: BigInt64Array;
  /** [k', m] */
  readonly logprobs: Float32Array;
  /** [k', m, n] */
  readonly topIds: BigInt64Array;
  /** [k', m, n] */
  readonly topValues: Float32Array;
  /** [k', h, d], after the final norm; empty when none were wanted */
  readonly hidden: Float32Array;
}

/** Where an adapter lies. */
export interface AdapterPlace {
  readonly pages: ReadonlyMap<LinearClass, readonly number[]>;
  /** The direction, counted through its pages, that holds its gains; of classes that have some. */
  readonly gains: ReadonlyMap<LinearClass, number>;
}

/** Writes an adapter into free pages. */
export interface LoadCall extends AdapterPlace {
  readonly adapter: CanonicalAdapter;
}

export interface WorkerCalls {
  /** Starts the provider; answers when it works. */
  readonly open: { readonly request: WorkerSettings; readonly response: undefined };
  readonly load: { readonly request: LoadCall; readonly response: undefined };
  readonly run: { readonly request: RunCall; readonly response: RunResult };
  /** Drops the key/value caches of these rows; rows that have none are fine. */
  readonly forget: { readonly request: readonly number[]; readonly response: undefined };
  /** Ends the process with an uncaught error, as a fault of ours would; for tests of what follows. */
  readonly crash: { readonly request: Record<string, never>; readonly response: never };
}
export type WorkerCallKind = keyof WorkerCalls;

export type ToWorker = {
  [Kind in WorkerCallKind]: { readonly id: number; readonly kind: Kind; readonly request: WorkerCalls[Kind]['request'] };
}[WorkerCallKind];

/** Why a request failed without the worker dying: a row of runtime.errors.ts by its code. */
export interface WorkerFailure {
  readonly code: 'PROVIDER_UNAVAILABLE' | 'MODEL_UNLOADABLE' | 'RUN_FAILED';
  readonly details: Readonly<Record<string, string>>;
}

export type FromWorker =
  | { readonly id: number; readonly response: WorkerCalls[WorkerCallKind]['response'] }
  | { readonly id: number; readonly failure: WorkerFailure };
