// One answer on its way: when it was taken in, started, had its first token and ended, as vLLM's metrics and traces tell it.
import type { RowListener } from '#src/runtime/engine.js';

/** As vLLM names them; `abort` when the client left, `error` when the hub failed. */
export const ROW_ENDS = ['stop', 'length', 'abort', 'error'] as const;
export type RowEnd = (typeof ROW_ENDS)[number];

/** Under which names a row is counted. */
export interface RowNames {
  /** The base model. */
  readonly model: string;
  /** `ns/name@version` of the adapter or composition, `mixture` for adapters that the request itself puts together, empty for the base alone. */
  readonly adapter: string;
}

/** Whoever counts rows. */
export interface RowSink {
  /** The prompt was computed. */
  read(row: ObservedRow): void;
  /** The first token came. */
  began(row: ObservedRow): void;
  /** So many tokens came together, each `gapMs` behind the one before on average. */
  continued(row: ObservedRow, gapMs: number, tokens: number): void;
  /** So many tokens became part of the answer. */
  wrote(row: ObservedRow, tokens: number): void;
  ended(row: ObservedRow, end: RowEnd): void;
}

export interface RowStart {
  readonly names: RowNames;
  /** When the request came, of `performance.now()`. */
  readonly arrivedAtMs: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
}

/** Times are of `performance.now()`. */
export class ObservedRow implements RowListener {
  readonly openedAtMs: number;
  startedAtMs: number | undefined;
  firstTokenAtMs: number | undefined;
  lastTokenAtMs: number | undefined;
  endedAtMs: number | undefined;
  /** Of the answer, as its usage counts them. */
  tokens = 0;
  end: RowEnd | undefined;
  private isRead = false;

  constructor(
    readonly start: RowStart,
    private readonly sinks: readonly RowSink[],
    private readonly now: () => number,
  ) {
    this.openedAtMs = now();
  }

  started(): void {
    this.startedAtMs ??= this.now();
  }

  delivered(tokens: number): void {
    const at = this.now();
    if (this.lastTokenAtMs === undefined) {
      this.firstTokenAtMs = at;
      this.read();
      // What comes with the first token has no time of its own between.
      for (const sink of this.sinks) sink.began(this);
    } else {
      const gapMs = (at - this.lastTokenAtMs) / tokens;
      for (const sink of this.sinks) sink.continued(this, gapMs, tokens);
    }
    this.lastTokenAtMs = at;
  }

  /** The prompt was computed; again is harmless. */
  read(): void {
    if (this.isRead) return;
    this.isRead = true;
    for (const sink of this.sinks) sink.read(this);
  }

  wrote(tokens: number): void {
    if (tokens === 0) return;
    this.tokens += tokens;
    for (const sink of this.sinks) sink.wrote(this, tokens);
  }

  /** The first end counts. */
  close(end: RowEnd): void {
    if (this.end !== undefined) return;
    this.end = end;
    // The reader may come to the last token long after it was there.
    this.endedAtMs = (end === 'stop' || end === 'length') && this.lastTokenAtMs !== undefined ? this.lastTokenAtMs : this.now();
    for (const sink of this.sinks) sink.ended(this, end);
  }
}
