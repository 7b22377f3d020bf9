// How fast requests are answered at present, and so when one that is refused should come again.

const WINDOW_MS = 30_000;
/** A single answer says little about a rate; over so long it is at least not taken for a flood. */
const MIN_SPAN_MS = 1_000;
/** Where nothing was answered in the window: long enough to help, short enough not to leave a free model idle. */
const UNKNOWN_SECONDS = 5;
/** OpenAI's clients wait for up to a minute and take their own guess beyond. */
const MAX_SECONDS = 30;

interface Answered {
  readonly atMs: number;
  readonly tokens: number;
}

export class ServiceRate {
  private answered: Answered[] = [];

  /** @param now milliseconds of a clock that only goes forward */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @param tokens that the request was taken in with */
  add(tokens: number): void {
    this.prune();
    this.answered.push({ atMs: this.now(), tokens });
  }

  /** Whole seconds, 1 to 30, until so many requests and tokens will have been answered. */
  secondsUntil(requests: number, tokens: number): number {
    this.prune();
    const [first] = this.answered;
    if (first === undefined) return UNKNOWN_SECONDS;
    const spanSeconds = Math.max(MIN_SPAN_MS, this.now() - first.atMs) / 1000;
    const answeredTokens = this.answered.reduce((sum, one) => sum + one.tokens, 0);
    const seconds = spanSeconds * Math.max(requests / this.answered.length, tokens / Math.max(1, answeredTokens));
    return Math.min(MAX_SECONDS, Math.max(1, Math.ceil(seconds)));
  }

  private prune(): void {
    const oldestMs = this.now() - WINDOW_MS;
    const kept = this.answered.findIndex(({ atMs }) => atMs >= oldestMs);
    this.answered = kept < 0 ? [] : this.answered.slice(kept);
  }
}
