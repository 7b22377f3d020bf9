// Lays out runs of the step program: rows of a request become the arrays of a call, and a call's results the tokens of its rows.
import type { GeneratedToken, Sampling, TopLogprobs } from './engine.js';
import { type AdjustedRow, layOutLists } from './listed-tokens.js';
import type { ScorePiece } from './plan-score-batches.js';
import { padSources, type WithSource } from './source-rows.js';
import { uniformAt } from './uniforms.js';
import type { CachePlan, ClassSlots, RunCall, RunResult } from './worker/protocol.js';

/** A row that generates, as a run sees it. */
export interface GeneratingRow extends WithSource, AdjustedRow {
  readonly key: number;
  readonly promptIds: readonly number[];
  readonly stopTokens: readonly number[];
  readonly sampling: Sampling;
  readonly topLogprobs: number;
  /** The last of the tokens generated so far. */
  readonly lastToken: number;
}

type Shape = Pick<RunCall, 'rows' | 'columns' | 'ids' | 'lengths'>;

/** Rows side by side, right-padded with token 0. */
function padRows(rows: readonly (readonly number[])[]): Shape {
  const columns = rows.reduce((most, ids) => Math.max(most, ids.length), 0);
  const ids = new BigInt64Array(rows.length * columns);
  for (const [row, tokens] of rows.entries()) for (const [column, id] of tokens.entries()) ids[row * columns + column] = BigInt(id);
  return { rows: rows.length, columns, ids, lengths: Int32Array.from(rows, ({ length }) => length) };
}

const NO_PLACES = new BigInt64Array(0);
const NO_CACHE: CachePlan = { keys: [], isContinued: false, isKept: false };

/**
 * A forced step over the pieces: logits at the position before each scored token.
 * @param key under which the cache of a row lies that is fed in several pieces
 */
export function createScoreCall(
  pieces: readonly ScorePiece[],
  idsOf: (row: number) => readonly number[],
  key: number,
  options: Pick<RunCall, 'application' | 'precision' | 'packing' | 'topLogprobs' | 'lora' | 'source'>,
): RunCall {
  const shape = padRows(pieces.map(({ row, start, end }) => idsOf(row).slice(start, end)));
  const positions: bigint[] = [];
  const targets: bigint[] = [];
  const force = (batchRow: number, { row, start }: ScorePiece, at: number): void => {
    positions.push(BigInt(batchRow), BigInt(at - 1 - start));
    targets.push(BigInt(idsOf(row)[at] ?? 0));
  };
  for (const [batchRow, piece] of pieces.entries()) for (let at = piece.from; at <= piece.end; at++) force(batchRow, piece, at);
  // A piece that only fills the cache still computes one row of logits: the program is not made for none.
  const [first] = pieces;
  if (targets.length === 0 && first !== undefined) force(0, first, first.end);
  return {
    ...options,
    ...shape,
    pastLengths: Int32Array.from(pieces, ({ start }) => start),
    positions: BigInt64Array.from(positions),
    targets: BigInt64Array.from(targets),
    ...createQuietChoice(shape.rows),
    hiddenPositions: NO_PLACES,
    cache: planCache(pieces, key),
  };
}

/**
 * A step over the pieces that gives hidden states: a piece's tokens `from − 1`…`end − 1`, in order.
 * @param key under which the cache of a row lies that is fed in several pieces
 */
export function createEmbedCall(
  pieces: readonly ScorePiece[],
  idsOf: (row: number) => readonly number[],
  key: number,
  options: Pick<RunCall, 'lora' | 'source'>,
): RunCall {
  const shape = padRows(pieces.map(({ row, start, end }) => idsOf(row).slice(start, end)));
  const hiddenPositions = pieces.flatMap(({ start, from, end }, batchRow) =>
    Array.from({ length: Math.max(0, end + 1 - from) }, (_, i) => [BigInt(batchRow), BigInt(from - 1 - start + i)]).flat(),
  );
  return {
    application: 'factored',
    topLogprobs: 0,
    ...options,
    ...shape,
    pastLengths: Int32Array.from(pieces, ({ start }) => start),
    // One row of logits that nobody reads: the program is not made for none.
    positions: new BigInt64Array(2),
    targets: new BigInt64Array(1),
    ...createQuietChoice(shape.rows),
    hiddenPositions: BigInt64Array.from(hiddenPositions),
    cache: planCache(pieces, key),
  };
}

/** A row that is fed in several pieces is a batch of its own and goes on from its cache. */
function planCache(pieces: readonly ScorePiece[], key: number): CachePlan {
  const [first] = pieces;
  const isChained = pieces.some(({ start, isLast }) => start > 0 || !isLast);
  return isChained && first !== undefined ? { keys: [key], isContinued: first.start > 0, isKept: !first.isLast } : NO_CACHE;
}

/** Feeds tokens `start`…`end − 1` of one row's prompt into its cache, when more of the prompt follows. */
export function createFillCall(row: GeneratingRow, start: number, end: number, lora: readonly ClassSlots[]): RunCall {
  const ids = (): readonly number[] => row.promptIds;
  return createScoreCall([{ row: 0, start, end, from: end + 1, isLast: false }], ids, row.key, {
    application: 'factored',
    topLogprobs: 0,
    lora,
    ...sourcesOf([row]),
  });
}

/**
 * The rows' prompts and `steps` tokens for each.
 * @param options.start prompt tokens that the (single) row's cache holds already
 * @param options.isKept false when no row can need its cache again
 */
export function createPrefillCall(
  rows: readonly GeneratingRow[],
  options: { readonly start: number; readonly steps: number; readonly isKept: boolean; readonly lora: readonly ClassSlots[] },
): RunCall {
  const { start, steps, isKept, lora } = options;
  const shape = padRows(rows.map(({ promptIds }) => promptIds.slice(start)));
  return {
    application: 'factored',
    ...shape,
    pastLengths: new Int32Array(rows.length).fill(start),
    ...createChoice(rows, shape.lengths, steps),
    hiddenPositions: NO_PLACES,
    lora,
    ...sourcesOf(rows),
    cache: start > 0 || isKept ? { keys: rows.map(({ key }) => key), isContinued: start > 0, isKept } : NO_CACHE,
  };
}

/** `steps` further tokens for each row. */
export function createDecodeCall(
  rows: readonly GeneratingRow[],
  options: { readonly steps: number; readonly isKept: boolean; readonly lora: readonly ClassSlots[] },
): RunCall {
  const shape = padRows(rows.map(({ lastToken }) => [lastToken]));
  return {
    application: 'factored',
    ...shape,
    pastLengths: Int32Array.from(rows, countCached),
    ...createChoice(rows, shape.lengths, options.steps),
    hiddenPositions: NO_PLACES,
    lora: options.lora,
    ...sourcesOf(rows),
    cache: { keys: rows.map(({ key }) => key), isContinued: true, isKept: options.isKept },
  };
}

/** Columns of a row's cache: everything but the last token, which is fed next. */
export function countCached({ promptIds, emitted }: GeneratingRow): number {
  return promptIds.length + emitted - 1;
}

/** What a call says of its rows' texts. */
export function sourcesOf(rows: readonly WithSource[]): Pick<RunCall, 'source'> {
  const source = padSources(rows);
  return source === undefined ? {} : { source };
}

type Choice = Pick<RunCall, 'steps' | 'stopTokens' | 'temperature' | 'topK' | 'topP' | 'minP' | 'adjustments' | 'uniforms'>;

/** One step in which nothing is chosen. */
function createQuietChoice(rows: number): Choice {
  return {
    steps: 1,
    stopTokens: new BigInt64Array(rows).fill(-1n),
    temperature: new Float32Array(rows),
    topK: new Int32Array(rows),
    topP: new Float32Array(rows).fill(1),
    minP: new Float32Array(rows),
    uniforms: new Float32Array(rows),
  };
}

function createChoice(
  rows: readonly GeneratingRow[],
  lengths: Int32Array,
  steps: number,
): Choice & Pick<RunCall, 'positions' | 'targets' | 'topLogprobs'> {
  const mostStops = rows.reduce((most, { stopTokens }) => Math.max(most, stopTokens.length), 1);
  const stopTokens = new BigInt64Array(rows.length * mostStops).fill(-1n);
  const uniforms = new Float32Array(steps * rows.length);
  for (const [row, { stopTokens: stops, sampling, emitted }] of rows.entries()) {
    for (const [index, token] of stops.entries()) stopTokens[row * mostStops + index] = BigInt(token);
    if (sampling.temperature > 0)
      for (let step = 0; step < steps; step++) uniforms[step * rows.length + row] = uniformAt(sampling.seed, emitted + step);
  }
  const adjustments = layOutLists(rows, steps);
  return {
    positions: BigInt64Array.from(rows.flatMap((_, row) => [BigInt(row), BigInt((lengths[row] ?? 1) - 1)])),
    targets: new BigInt64Array(rows.length).fill(-1n),
    steps,
    stopTokens,
    temperature: Float32Array.from(rows, ({ sampling }) => sampling.temperature),
    topK: Int32Array.from(rows, ({ sampling }) => sampling.topK),
    topP: Float32Array.from(rows, ({ sampling }) => sampling.topP),
    minP: Float32Array.from(rows, ({ sampling }) => sampling.minP ?? 0),
    ...(adjustments !== undefined && { adjustments }),
    uniforms,
    topLogprobs: rows.reduce((most, { topLogprobs }) => Math.max(most, topLogprobs), 0),
  };
}

/** The `wanted` most likely tokens at one place of a result ([k', m, n], n ≥ wanted). */
export function readTop(result: RunResult, place: number, wanted: number): TopLogprobs {
  const places = result.tokens.length;
  const width = places === 0 ? 0 : result.topIds.length / places;
  const start = place * width;
  return {
    ids: Array.from(result.topIds.subarray(start, start + wanted), Number),
    logprobs: Array.from(result.topValues.subarray(start, start + wanted)),
  };
}

/** The tokens that a run gave one of its rows, up to its stop token or the number of tokens it may still have. */
export function readTokens(
  result: RunResult,
  rows: number,
  row: number,
  request: { stopTokens: readonly number[]; topLogprobs: number; remaining: number },
): GeneratedToken[] {
  const tokens: GeneratedToken[] = [];
  for (let step = 0; step < result.steps && tokens.length < request.remaining; step++) {
    const place = step * rows + row;
    const id = Number(result.tokens[place]);
    const isStop = request.stopTokens.includes(id);
    const isLast = isStop || tokens.length + 1 === request.remaining;
    tokens.push({
      id,
      logprob: result.logprobs[place] ?? Number.NaN,
      ...(request.topLogprobs > 0 ? { top: readTop(result, place, request.topLogprobs) } : {}),
      ...(isLast ? { finish: isStop ? ('stop' as const) : ('length' as const) } : {}),
    });
    if (isStop) break;
  }
  return tokens;
}
