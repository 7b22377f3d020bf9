// What one model was asked in a request, and what became of it: its rows, tokens, times and end.
import { BraidError } from '#src/http/braid-error.js';
import { ObservedRow, type RowEnd, type RowNames, type RowSink } from './observed-row.js';

/** What is served, once the name is understood. */
export interface ServedFacts extends RowNames {
  /** Of base, adapters, weights and prompt: the answer's `system_fingerprint`. */
  readonly fingerprint: string;
}

/** Texts, where the log may have them. */
export interface GenerationTexts {
  prompt: string;
  answer: string;
}

/** What of a plan counts. */
export interface PlanFacts {
  /** Of each prompt. */
  readonly promptTokens: readonly number[];
  readonly answersPerPrompt: number;
  readonly temperature: number;
  readonly topP: number;
}

const NO_NAMES: RowNames = { model: '', adapter: '' };

export interface GenerationStart {
  readonly requestId: string;
  /** As the request wrote it. */
  readonly model: string;
  readonly arrivedAtMs: number;
}

export class ObservedGeneration {
  served: ServedFacts | undefined;
  plan: PlanFacts | undefined;
  texts: GenerationTexts | undefined;
  /** Of the error that ended it. */
  errorCode: string | undefined;
  readonly rows: ObservedRow[] = [];

  constructor(
    readonly start: GenerationStart,
    private readonly sinks: readonly RowSink[],
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Each prompt once, as the answer's usage counts them. */
  get promptTokens(): number {
    return this.plan?.promptTokens.reduce((sum, tokens) => sum + tokens, 0) ?? 0;
  }

  get completionTokens(): number {
    return this.rows.reduce((sum, { tokens }) => sum + tokens, 0);
  }

  /** From the request's arrival to the first token of any answer. */
  get firstTokenMs(): number | undefined {
    const times = this.rows.flatMap(({ firstTokenAtMs }) => firstTokenAtMs ?? []);
    return times.length === 0 ? undefined : Math.min(...times) - this.start.arrivedAtMs;
  }

  /** Each kind of end once; what still runs when it is asked for was left. */
  get ends(): RowEnd[] {
    return [...new Set(this.rows.map(({ end }) => end ?? 'abort'))];
  }

  openRow(promptTokens: number, maxTokens: number): ObservedRow {
    const start = { names: this.served ?? NO_NAMES, arrivedAtMs: this.start.arrivedAtMs, promptTokens, maxTokens };
    const row = new ObservedRow(start, this.sinks, this.now);
    this.rows.push(row);
    return row;
  }

  /** Does the work and remembers its error. */
  guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  fail(error: unknown): void {
    this.errorCode ??= error instanceof BraidError ? error.code : 'INTERNAL';
  }

  /** What has not ended ends now. @param isLeft whether the client has gone */
  close(isLeft: boolean): void {
    const hasFailed = this.errorCode !== undefined && !isLeft;
    for (const row of this.rows) row.close(hasFailed ? 'error' : 'abort');
  }
}
