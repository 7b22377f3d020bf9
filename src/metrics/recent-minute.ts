// The last minute of a base model, second by second: what its answers took, for who looks at it now.

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export interface MinuteSummary {
  /** Over the last ten whole seconds. */
  readonly promptTokensPerSecond: number;
  readonly generationTokensPerSecond: number;
  /** Answers that ended in the last minute. */
  readonly answers: number;
  /** Milliseconds; null where nothing came. */
  readonly firstTokenMs: Percentiles | null;
  readonly betweenTokensMs: Percentiles | null;
}

const SECONDS = 60;
const RATE_SECONDS = 10;
/** Enough for a percentile; a busy second has more. */
const MOST_SAMPLES = 1_000;

interface Weighted {
  readonly value: number;
  readonly weight: number;
}

interface Second {
  readonly at: number;
  promptTokens: number;
  tokens: number;
  answers: number;
  readonly firsts: Weighted[];
  readonly gaps: Weighted[];
}

export class RecentMinute {
  private readonly seconds: Second[] = [];

  /** @param now milliseconds of a clock that only goes forward */
  constructor(private readonly now: () => number = () => performance.now()) {}

  addPromptTokens(count: number): void {
    this.current().promptTokens += count;
  }

  addTokens(count: number): void {
    this.current().tokens += count;
  }

  addAnswer(): void {
    this.current().answers++;
  }

  addFirstToken(ms: number): void {
    sample(this.current().firsts, ms, 1);
  }

  addGap(ms: number, tokens: number): void {
    sample(this.current().gaps, ms, tokens);
  }

  summary(): MinuteSummary {
    const second = this.secondNow();
    const minute = this.seconds.filter(({ at }) => at > second - SECONDS);
    const rated = minute.filter(({ at }) => at < second && at >= second - RATE_SECONDS);
    const rate = (countOf: (second: Second) => number): number => rated.reduce((sum, one) => sum + countOf(one), 0) / RATE_SECONDS;
    return {
      promptTokensPerSecond: rate(({ promptTokens }) => promptTokens),
      generationTokensPerSecond: rate(({ tokens }) => tokens),
      answers: minute.reduce((sum, { answers }) => sum + answers, 0),
      firstTokenMs: percentilesOf(minute.flatMap(({ firsts }) => firsts)),
      betweenTokensMs: percentilesOf(minute.flatMap(({ gaps }) => gaps)),
    };
  }

  private secondNow(): number {
    return Math.floor(this.now() / 1000);
  }

  private current(): Second {
    const at = this.secondNow();
    const last = this.seconds.at(-1);
    if (last?.at === at) return last;
    const second: Second = { at, promptTokens: 0, tokens: 0, answers: 0, firsts: [], gaps: [] };
    this.seconds.push(second);
    if (this.seconds.length > SECONDS) this.seconds.shift();
    return second;
  }
}

function sample(samples: Weighted[], value: number, weight: number): void {
  if (samples.length < MOST_SAMPLES) samples.push({ value, weight });
}

/** The smallest value that so large a share of the weights does not exceed. */
function percentilesOf(samples: readonly Weighted[]): Percentiles | null {
  if (samples.length === 0) return null;
  const sorted = [...samples].sort((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const at = (share: number): number => {
    let sum = 0;
    for (const { value, weight } of sorted) {
      sum += weight;
      if (sum >= share * total) return value;
    }
    return sorted.at(-1)?.value ?? 0;
  };
  return { p50: at(0.5), p99: at(0.99) };
}
