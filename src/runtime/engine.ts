// What the rest of Braid asks of a loaded base model: score and embed texts, and generate tokens under weighted adapters. No ONNX Runtime here.
import type { Digest } from '#src/ids/ids.js';

/** One term wᵢ·ΔWᵢ of a mixture; ΔWᵢ = sᵢ·Bᵢ·Aᵢ is fixed by the digest. */
export interface WeightedAdapter {
  readonly digest: Digest;
  /** wᵢ, finite; 0 leaves the base unchanged. */
  readonly weight: number;
  /**
   * Present when the term is a composition in factor space: the adapter ΔWᵢ = (Σ vⱼ·sⱼ·Bⱼ)(Σ vⱼ·Aⱼ), made when it is first used. Its parts
   * have factors of the same shape, and `digest` is of them and their weights: `createFactorMixture` makes such terms.
   */
  readonly factors?: readonly WeightedAdapter[];
}

/** Σ wᵢ·ΔWᵢ; the empty list is the base alone. A composition in delta space has a term for each part, one in factor space is a single term. */
export type Mixture = readonly WeightedAdapter[];

/** The tokens `ids[from..]` are scored given everything before them. */
export interface ScoreRow {
  readonly ids: readonly number[];
  /** Index of the first scored token, ≥ 1. */
  readonly from: number;
  readonly mixture: Mixture;
}

/** The model's last hidden states of the tokens `ids[from..]`, each given everything before it, are averaged. */
export interface EmbedRow {
  readonly ids: readonly number[];
  /** Index of the first token that counts, ≥ 0; before the end. */
  readonly from: number;
  readonly mixture: Mixture;
}

/** The n most likely tokens at one position, most likely first. */
export interface TopLogprobs {
  readonly ids: readonly number[];
  readonly logprobs: readonly number[];
}

export interface ScoreResult {
  /** Natural-log probability of each scored token, in order. */
  readonly logprobs: Float32Array;
  /** One entry per scored token; empty unless asked for. */
  readonly top: readonly TopLogprobs[];
}

/**
 * What a search may go by. Its `int8` is an estimate, over weights and adapters of bytes: an evaluation of twenty adapters would take half as long
 * again with them as floats.
 */
export const PRECISIONS = ['float32', 'float16', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];
/** What answers may be generated in: of the base's products. Adapters are floats beside `int8` and `int4`. */
export type ServingPrecision = Precision | 'int4';
/** What texts may be scored in. `estimate` is the int8 of a search. */
export type ScorePrecision = ServingPrecision | 'estimate';

export interface ScoreOptions {
  /** How the mixture is applied: `factored` per row, or `merged` (W₀ + Σ wᵢsᵢBᵢAᵢ in the graph; every row must have the same mixture). @default 'factored' */
  readonly application?: 'factored' | 'merged';
  /**
   * Of the base's products. `estimate` is two to three times faster and moves each log-probability a little, alike for all mixtures: enough to
   * rank them by. `int8`, `int4` and `float16` say what answers generated so are worth. All but float16 are for the CPU, each takes a session of
   * its own, opened at the first use and released when idle, and is factored only. @default 'float32', whatever answers are generated in: losses
   * are kept and compared
   */
  readonly precision?: ScorePrecision;
  /** 0…20. @default 0 */
  readonly topLogprobs?: number;
  /** Nobody waits for it as for an answer: while rows generate it gets a quarter of the time, in small runs. @default false */
  readonly background?: boolean;
  readonly signal?: AbortSignal;
}

export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number;
  /** 0 is off. */
  readonly topK: number;
  /** 1 is off. */
  readonly topP: number;
  /** Leaves out what is less likely than this times the likeliest token. @default 0, which is off */
  readonly minP?: number;
  /** 0.01…100: logits of tokens of prompt and answer are divided by it where positive, multiplied where not. @default 1, which is off */
  readonly repetitionPenalty?: number;
  /** −2…2: taken from the logit of every token that the answer has. @default 0 */
  readonly presencePenalty?: number;
  /** −2…2: taken from a token's logit as often as the answer has it. @default 0 */
  readonly frequencyPenalty?: number;
  /** By token, −100…100: added to the logit, before the penalties. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /** When present, no other token is chosen. */
  readonly allowedTokens?: readonly number[];
  /** The row's own random stream: the same seed gives the same tokens in any batch. */
  readonly seed: number;
}

/** Hears of a row when something happens to it, which may be before its reader gets to it. */
export interface RowListener {
  /** The row waits no more: its prompt goes into a run. */
  started(): void;
  /** A run has given it so many tokens, at least one. */
  delivered(tokens: number): void;
}

export interface GenerateRequest {
  /** Prompt tokens, at least one. */
  readonly ids: readonly number[];
  readonly mixture: Mixture;
  /** ≥ 1; prompt and answer together must fit the context. */
  readonly maxTokens: number;
  /** No stop token comes before the answer has so many tokens; at most maxTokens. @default 0 */
  readonly minTokens?: number;
  /** Tokens that end the row; the stop token itself is reported as the last one. */
  readonly stopTokens: readonly number[];
  readonly sampling: Sampling;
  /** 0…20 */
  readonly topLogprobs: number;
  /** True when someone reads token by token: fewer steps per run. */
  readonly stream: boolean;
  /** Nobody waits for it as for an answer: beside others it gets what background scoring gets. @default false */
  readonly background?: boolean;
  readonly signal?: AbortSignal;
  readonly listener?: RowListener;
}

export interface GeneratedToken {
  readonly id: number;
  /** Log-probability under the model's own distribution (before biases, penalties and temperature). */
  readonly logprob: number;
  /** Present when topLogprobs > 0. */
  readonly top?: TopLogprobs;
  /** Set on the last token only. */
  readonly finish?: 'stop' | 'length';
}

/** A base model ready to compute. Every method rejects with a BraidError of runtime.errors.ts. */
export interface Engine {
  /** Largest number of tokens of prompt and answer together. */
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** Numbers of an embedding. */
  readonly hiddenSize: number;
  /**
   * An encoder reads a row's tokens before `from`, or a prompt, and the decoder answers: what is scored or generated. Nothing before it has
   * probabilities of its own.
   */
  readonly hasEncoder: boolean;
  score(rows: readonly ScoreRow[], options?: ScoreOptions): Promise<ScoreResult[]>;
  /** Per row the mean [hiddenSize] of its hidden states after the final norm; not scaled to any length. */
  embed(rows: readonly EmbedRow[], options?: { readonly signal?: AbortSignal }): Promise<Float32Array[]>;
  generate(request: GenerateRequest): AsyncIterable<GeneratedToken>;
}

/** Opens engines: one per base model, on first use, kept; a worker process each. Nest service in runtime.service.ts. */
export interface Engines {
  /** @throws BraidError when the model is gone or cannot be loaded */
  get(baseModelDigest: Digest): Promise<Engine>;
}

/** Nest injection token of the Engines, exported by RuntimeModule. */
export const ENGINES = Symbol('ENGINES');
