// Llama, and what Gemma and others do differently, in float64, one token row at a time, written from the papers and transformers' sources and from nothing in
// kernels/: what the graphs are compared with where PEFT left no numbers.

export type Vector = readonly number[];
export type Matrix = readonly Vector[];

/** One wᵢ·sᵢ·BᵢAᵢ: A [r, dIn], B [dOut, r]. */
export interface ReferenceDelta {
  readonly a: Matrix;
  readonly b: Matrix;
  /** w·s */
  readonly scale: number;
}

export interface ReferenceLinear {
  readonly weight: Matrix;
  readonly bias?: Vector;
  readonly deltas?: readonly ReferenceDelta[];
}

export function dot(x: Vector, y: Vector): number {
  return x.reduce((sum, value, i) => sum + value * (y[i] ?? NaN), 0);
}

export function addVectors(x: Vector, y: Vector): number[] {
  return x.map((value, i) => value + (y[i] ?? NaN));
}

/** W·x (+ bias) + Σ scale·B·(A·x) for one row x. */
export function applyReferenceLinear(x: Vector, { weight, bias, deltas = [] }: ReferenceLinear): number[] {
  let y = weight.map((row, i) => dot(row, x) + (bias ? (bias[i] ?? NaN) : 0));
  for (const { a, b, scale } of deltas) {
    const projected = a.map((row) => dot(row, x));
    y = addVectors(
      y,
      b.map((row) => scale * dot(row, projected)),
    );
  }
  return y;
}

/** E[id] + Σ scale·B·A[:, id]. */
export function referenceEmbedding(id: number, { weight, deltas = [] }: ReferenceLinear): number[] {
  return deltas.reduce(
    (x, { a, b, scale }) => {
      const column = a.map((row) => row[id] ?? NaN);
      return addVectors(
        x,
        b.map((row) => scale * dot(row, column)),
      );
    },
    [...(weight[id] ?? [])],
  );
}

/** Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4. */
export function referenceRmsNorm(x: Vector, scale: Vector, epsilon: number): number[] {
  const inverse = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * inverse * (scale[i] ?? NaN));
}

/**
 * Su et al. 2021, arXiv:2104.09864, eq. 34, on pairs (i, i + d/2) of the leading `frequencies.length · 2` numbers as Hugging Face lays them
 * out; the others stay.
 */
export function referenceRotate(x: Vector, position: number, { frequencies, magnitude = 1 }: ReferenceRope): number[] {
  const half = frequencies.length;
  return x.map((value, i) => {
    if (i >= 2 * half) return value;
    const angle = position * (frequencies[i % half] ?? NaN);
    const other = i < half ? -(x[i + half] ?? NaN) : (x[i - half] ?? NaN);
    return magnitude * (value * Math.cos(angle) + other * Math.sin(angle));
  });
}

export interface ReferenceRope {
  /** Radians a position of each pair. */
  readonly frequencies: Vector;
  /** YaRN's factor on cosine and sine. @default 1 */
  readonly magnitude?: number;
}

export function referenceSoftmax(x: Vector): number[] {
  const largest = Math.max(...x);
  const powers = x.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

export function referenceLogSoftmax(x: Vector): number[] {
  const largest = Math.max(...x);
  const total = Math.log(x.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return x.map((value) => value - largest - total);
}

/** Cuts a projected row into heads. */
export function splitHeads(x: Vector, headDim: number): number[][] {
  return Array.from({ length: x.length / headDim }, (_, head) => x.slice(head * headDim, (head + 1) * headDim));
}

export interface ReferenceAttention {
  readonly headDim: number;
  readonly rope: ReferenceRope;
  /** @default 1/√headDim */
  readonly scale?: number;
  /** c in c·tanh(score/c). */
  readonly softCap?: number;
  /** Tokens that a token sees, itself included. */
  readonly window?: number;
}

/** Causal attention of one sequence: queries [t][heads·headDim], keys and values [t][kvHeads·headDim], rotated here at positions 0, 1, … */
export function referenceAttention(queries: Matrix, keys: Matrix, values: Matrix, attention: ReferenceAttention): number[][] {
  const { headDim, rope, scale = 1 / Math.sqrt(headDim), softCap, window = Infinity } = attention;
  const keyHeads = keys.map((row, position) => splitHeads(row, headDim).map((head) => referenceRotate(head, position, rope)));
  const valueHeads = values.map((row) => splitHeads(row, headDim));
  const cap = (score: number): number => (softCap === undefined ? score : softCap * Math.tanh(score / softCap));
  return queries.map((row, position) => {
    const heads = splitHeads(row, headDim);
    const first = Math.max(0, position + 1 - window);
    return heads.flatMap((head, index) => {
      const shared = Math.floor((index * (keyHeads[0]?.length ?? 0)) / heads.length);
      const query = referenceRotate(head, position, rope);
      const weights = referenceSoftmax(keyHeads.slice(first, position + 1).map((all) => cap(dot(query, all[shared] ?? []) * scale)));
      return Array.from({ length: headDim }, (_, i) =>
        dot(
          weights,
          valueHeads.slice(first, position + 1).map((all) => all[shared]?.[i] ?? NaN),
        ),
      );
    });
  });
}

export type ReferenceActivation = 'silu' | 'gelu-tanh';

function activate(x: number, activation: ReferenceActivation): number {
  if (activation === 'silu') return x / (1 + Math.exp(-x));
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** down(act(gate(x)) ∘ up(x)) for one row. */
export function referenceFeedForward(
  x: Vector,
  weights: { gate: ReferenceLinear; up: ReferenceLinear; down: ReferenceLinear },
  activation: ReferenceActivation = 'silu',
): number[] {
  const gate = applyReferenceLinear(x, weights.gate);
  const up = applyReferenceLinear(x, weights.up);
  return applyReferenceLinear(
    gate.map((value, i) => activate(value, activation) * (up[i] ?? NaN)),
    weights.down,
  );
}

export interface ReferenceModel {
  readonly layers: number;
  readonly epsilon: number;
  /** Query, key and value are one linear, gate and up another. */
  readonly isFused?: boolean;
  /** @default 'silu' */
  readonly activation?: ReferenceActivation;
  /** Factor on embedded tokens. @default 1 */
  readonly embeddingScale?: number;
  /** c in c·tanh(x/c) of the logits. */
  readonly logitSoftCap?: number;
  /** Of each layer. */
  readonly attention: readonly ReferenceAttention[];
  /** `weight` [V, d] is Wᵀ as it lies in files; deltas are as of a linear over one-hot tokens: A [r, V], B [d, r]. */
  readonly embedding: ReferenceLinear;
  readonly head: ReferenceLinear;
  readonly finalNorm: Vector;
  /** A linear module by path, `model.layers.0.self_attn.q_proj`. */
  readonly linear: (path: string) => ReferenceLinear;
  /** What a norm multiplies with by path, `model.layers.0.input_layernorm`; undefined where the model has none. */
  readonly norm: (path: string) => Vector | undefined;
}

/** Query, key and value of one row; Phi-3 has them in one product, in this order. */
function projectReference({ linear, isFused }: ReferenceModel, x: Vector, path: string): { query: Vector; key: Vector; value: Vector } {
  if (!isFused) {
    const [query, key, value] = ['q_proj', 'k_proj', 'v_proj'].map((name) => applyReferenceLinear(x, linear(`${path}.${name}`)));
    return { query: query ?? [], key: key ?? [], value: value ?? [] };
  }
  const all = applyReferenceLinear(x, linear(`${path}.qkv_proj`));
  const width = linear(`${path}.o_proj`).weight[0]?.length ?? NaN;
  const keyWidth = (all.length - width) / 2;
  return { query: all.slice(0, width), key: all.slice(width, width + keyWidth), value: all.slice(width + keyWidth) };
}

/** Gate, up and down; Phi-3 has gate above up in one matrix. */
function findFeedForward({ linear, isFused }: ReferenceModel, path: string): Parameters<typeof referenceFeedForward>[1] {
  const down = linear(`${path}.down_proj`);
  if (!isFused) return { gate: linear(`${path}.gate_proj`), up: linear(`${path}.up_proj`), down };
  const { weight, deltas = [] } = linear(`${path}.gate_up_proj`);
  const half = weight.length / 2;
  const rows = (from: number, to: number): ReferenceLinear => ({
    weight: weight.slice(from, to),
    deltas: deltas.map(({ a, b, scale }) => ({ a, b: b.slice(from, to), scale })),
  });
  return { gate: rows(0, half), up: rows(half, 2 * half), down };
}

/** Hidden states after the last norm of every token of one sequence: [t][d]. */
export function referenceHidden(model: ReferenceModel, ids: readonly number[]): number[][] {
  const { epsilon } = model;
  const norm = (x: Vector, path: string): number[] => referenceRmsNorm(x, model.norm(path) ?? [], epsilon);
  const isAround = model.norm('model.layers.0.pre_feedforward_layernorm') !== undefined;
  let states: Matrix = ids.map((id) => referenceEmbedding(id, model.embedding).map((value) => value * (model.embeddingScale ?? 1)));
  for (let layer = 0; layer < model.layers; layer++) {
    const path = `model.layers.${layer}`;
    const attention = model.attention[layer];
    if (!attention) throw new Error(`layer ${layer} has no attention`);
    const { headDim } = attention;
    const normed = states.map((x) => norm(x, `${path}.input_layernorm`));
    const normHeads = (y: Vector, normName: string): Vector => {
      const scale = model.norm(`${path}.self_attn.${normName}`);
      return scale ? splitHeads(y, headDim).flatMap((head) => referenceRmsNorm(head, scale, epsilon)) : y;
    };
    const projected = normed.map((x) => projectReference(model, x, `${path}.self_attn`));
    const queries = projected.map(({ query }) => normHeads(query, 'q_norm'));
    const keys = projected.map(({ key }) => normHeads(key, 'k_norm'));
    const values = projected.map(({ value }) => value);
    const context = referenceAttention(queries, keys, values, attention);
    const middle = states.map((x, i) => {
      const attended = applyReferenceLinear(context[i] ?? [], model.linear(`${path}.self_attn.o_proj`));
      return addVectors(x, isAround ? norm(attended, `${path}.post_attention_layernorm`) : attended);
    });
    const weights = findFeedForward(model, `${path}.mlp`);
    states = middle.map((x) => {
      const normed = norm(x, `${path}.${isAround ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'}`);
      const fed = referenceFeedForward(normed, weights, model.activation);
      return addVectors(x, isAround ? norm(fed, `${path}.post_feedforward_layernorm`) : fed);
    });
  }
  return states.map((x) => referenceRmsNorm(x, model.finalNorm, epsilon));
}

/** Logits after every token of one sequence: [t][V]. */
export function referenceLogits(model: ReferenceModel, ids: readonly number[]): number[][] {
  const { logitSoftCap: cap } = model;
  const logits = referenceHidden(model, ids).map((x) => applyReferenceLinear(x, model.head));
  return cap === undefined ? logits : logits.map((row) => row.map((value) => cap * Math.tanh(value / cap)));
}
