// Which tokens a generating row has adjusted logits for, and how: what its sampling asks for, with its prompt and its answer so far.
import type { Sampling } from './engine.js';
import type { AdjustmentLists } from './worker/protocol.js';

/** What of a request decides how logits are adjusted. */
export interface AdjustedRequest {
  readonly ids: readonly number[];
  readonly stopTokens: readonly number[];
  readonly minTokens?: number;
  readonly sampling: Sampling;
}

interface ListedToken {
  readonly bias: number;
  readonly isPrompted: boolean;
  /** Banned until the answer has so many tokens. */
  readonly bannedUntil: number;
  /** How often the answer has it. */
  count: number;
}

const UNTOUCHED = { bias: 0, isPrompted: false, bannedUntil: 0 } as const;

/** The list of one row; grows with its answer where that counts. */
export class ListedTokens {
  readonly isListedOnly: boolean;
  private readonly tokens = new Map<number, ListedToken>();
  private readonly counts: boolean;

  private constructor(readonly sampling: Sampling) {
    const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, allowedTokens } = sampling;
    this.isListedOnly = allowedTokens !== undefined;
    this.counts = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  }

  /** Undefined for a row whose logits stay as they are. */
  static of({ ids, stopTokens, minTokens = 0, sampling }: AdjustedRequest): ListedTokens | undefined {
    const { repetitionPenalty = 1, logitBias, allowedTokens } = sampling;
    const listed = new ListedTokens(sampling);
    if (!listed.counts && !listed.isListedOnly && logitBias === undefined && minTokens === 0) return undefined;
    const prompted = new Set(repetitionPenalty === 1 ? [] : ids);
    const banned = new Set(minTokens === 0 ? [] : stopTokens);
    // Where a row may choose among few tokens, listing another would allow it.
    for (const token of allowedTokens ?? [...(logitBias?.keys() ?? []), ...prompted, ...banned]) {
      listed.tokens.set(token, {
        bias: logitBias?.get(token) ?? 0,
        isPrompted: prompted.has(token),
        bannedUntil: banned.has(token) ? minTokens : 0,
        count: 0,
      });
    }
    return listed;
  }

  get size(): number {
    return this.tokens.size;
  }

  /** Takes in what the answer has more. */
  count(ids: readonly number[]): void {
    if (!this.counts) return;
    for (const id of ids) {
      const listed = this.tokens.get(id);
      if (listed === undefined) this.tokens.set(id, { ...UNTOUCHED, count: 1 });
      else listed.count++;
    }
  }

  /** Writes the row's list into `lists`, from its first place on. @param emitted tokens that the answer has */
  write(lists: AdjustmentLists, row: number, emitted: number): void {
    const { places } = lists;
    const start = row * places;
    let place = start;
    for (const [token, { bias, isPrompted, bannedUntil, count }] of this.tokens) {
      lists.tokens[place] = BigInt(token);
      lists.bias[place] = bias;
      lists.isPrompted[place] = Number(isPrompted);
      lists.counts[place] = count;
      lists.bannedSteps[place] = BigInt(Math.max(0, bannedUntil - emitted));
      place++;
    }
    if (this.size === 0) return;
    for (const values of [lists.tokens, lists.bias, lists.isPrompted, lists.counts, lists.bannedSteps])
      values.fill(values[start] as never, place, start + places);
  }
}

/** A row as a run adjusts its logits. */
export interface AdjustedRow {
  readonly listed?: ListedTokens;
  /** Tokens generated so far. */
  readonly emitted: number;
}

/** The lists of a run's rows side by side; undefined where no row has one. */
export function layOutLists(rows: readonly AdjustedRow[], steps: number): AdjustmentLists | undefined {
  if (rows.every(({ listed }) => listed === undefined)) return undefined;
  // A place for the token of each step, behind lists of at least one.
  const places = Math.max(1, ...rows.map(({ listed }) => listed?.size ?? 0)) + steps;
  const lists = {
    ...createQuietLists(rows.length, places),
    isListedOnly: Uint8Array.from(rows, ({ listed }) => Number(listed?.isListedOnly ?? false)),
    repetitionPenalty: Float32Array.from(rows, ({ listed }) => listed?.sampling.repetitionPenalty ?? 1),
    presencePenalty: Float32Array.from(rows, ({ listed }) => listed?.sampling.presencePenalty ?? 0),
    frequencyPenalty: Float32Array.from(rows, ({ listed }) => listed?.sampling.frequencyPenalty ?? 0),
  };
  for (const [row, { listed, emitted }] of rows.entries()) listed?.write(lists, row, emitted);
  return lists;
}

/** Token 0 in every place, with what changes nothing. */
export function createQuietLists(rows: number, places: number): AdjustmentLists {
  const size = rows * places;
  return {
    places,
    tokens: new BigInt64Array(size),
    counts: new Float32Array(size),
    isPrompted: new Uint8Array(size),
    bias: new Float32Array(size),
    bannedSteps: new BigInt64Array(size),
    isListedOnly: new Uint8Array(rows),
    repetitionPenalty: new Float32Array(rows).fill(1),
    presencePenalty: new Float32Array(rows),
    frequencyPenalty: new Float32Array(rows),
  };
}
