// What became of the soak's requests, and what of it no hub may ever do.

export class Tally {
  sent = 0;
  answered = 0;
  /** Clients that left, as they meant to. */
  left = 0;
  /** Deadlines that passed, as they were meant to. */
  late = 0;
  /** Bad requests that were refused as such. */
  bad = 0;
  /** Attempts refused with 429. */
  full = 0;
  /** Attempts refused with 503. */
  unavailable = 0;
  /** Streams that an error event ended. */
  cut = 0;
  /** Requests that were sent again until they were answered. */
  retried = 0;
  /** Requests whose client gave up after many refusals: there is more load than the hub takes. */
  givenUp = 0;
  /** Milliseconds of attempts that were taken in and answered. */
  readonly latenciesMs: number[] = [];
  /** Milliseconds until a 429 came. */
  readonly refusalsMs: number[] = [];
  private readonly faults = new Map<string, number>();
  private readonly greedy = new Map<string, string>();
  private waitingSince: number | undefined;
  longestRecoveryMs = 0;
  kills = 0;

  /** Something that was promised not to happen. */
  blame(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  get blames(): readonly string[] {
    return [...this.faults].map(([fault, times]) => `${fault} (${times}×)`);
  }

  killed(): void {
    this.kills++;
    this.waitingSince ??= performance.now();
  }

  /** @param startedAt of the attempt, `performance.now()` */
  answer(startedAt: number): void {
    const now = performance.now();
    this.answered++;
    this.latenciesMs.push(now - startedAt);
    if (this.waitingSince === undefined || startedAt < this.waitingSince) return;
    this.longestRecoveryMs = Math.max(this.longestRecoveryMs, now - this.waitingSince);
    this.waitingSince = undefined;
  }

  /** A greedy answer is the same whenever it is asked for, beside whatever else, by whichever worker. */
  compare(request: string, answer: string): void {
    const known = this.greedy.get(request);
    if (known === undefined) this.greedy.set(request, answer);
    else if (known !== answer) this.blame('a greedy answer differed from its first');
  }
}
