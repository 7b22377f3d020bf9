// The last minute of every base model that was asked.
import { Injectable } from '@nestjs/common';
import type { ObservedRow, RowSink } from './observed-row.js';
import { type MinuteSummary, RecentMinute } from './recent-minute.js';

@Injectable()
export class RecentRows implements RowSink {
  private readonly minutes = new Map<string, RecentMinute>();

  summaryOf(model: string): MinuteSummary {
    return (this.minutes.get(model) ?? new RecentMinute()).summary();
  }

  read(row: ObservedRow): void {
    this.minuteOf(row).addPromptTokens(row.start.promptTokens);
  }

  began(row: ObservedRow): void {
    if (row.firstTokenAtMs !== undefined) this.minuteOf(row).addFirstToken(row.firstTokenAtMs - row.start.arrivedAtMs);
  }

  continued(row: ObservedRow, gapMs: number, tokens: number): void {
    this.minuteOf(row).addGap(gapMs, tokens);
  }

  wrote(row: ObservedRow, tokens: number): void {
    this.minuteOf(row).addTokens(tokens);
  }

  ended(row: ObservedRow): void {
    this.minuteOf(row).addAnswer();
  }

  /** Base models are few, and registered by whoever runs the hub. */
  private minuteOf({ start: { names } }: ObservedRow): RecentMinute {
    const known = this.minutes.get(names.model);
    if (known !== undefined) return known;
    const minute = new RecentMinute();
    this.minutes.set(names.model, minute);
    return minute;
  }
}
