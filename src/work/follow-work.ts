// Event streams of long work: its state now, every change, and how it ended; as server-sent events.
import type { MessageEvent } from '@nestjs/common';
import { Observable } from 'rxjs';

export interface FollowedWork<Event> {
  /** What is new since the last look; an event that is no progress is the last one. */
  readonly look: () => AsyncIterable<Event>;
  /** Resolves when another look may be worth it, and when the signal is aborted. */
  readonly nextChange: () => Promise<void>;
  readonly signal: AbortSignal;
}

const HEARTBEAT_MS = 15_000;

/** Ends with the work or the signal; `undefined` is a heartbeat, after 15 s without news. */
export async function* followWork<Event extends { readonly type: string }>({
  look,
  nextChange,
  signal,
}: FollowedWork<Event>): AsyncGenerator<Event | undefined, void> {
  let lastSent = performance.now();
  while (!signal.aborted) {
    // Before the look, so that a change in between is not missed.
    const change = nextChange();
    for await (const event of look()) {
      lastSent = performance.now();
      yield event;
      if (event.type !== 'progress') return;
    }
    if (performance.now() - lastSent >= HEARTBEAT_MS) {
      lastSent = performance.now();
      yield undefined;
    }
    await change;
  }
}

/** @param follow is given a signal that is aborted when the reader is gone or the hub is `closing`. @returns the events, heartbeats as comments */
export function streamWork(
  follow: (signal: AbortSignal) => AsyncIterable<MessageEvent | undefined>,
  closing: AbortSignal,
): Observable<MessageEvent> {
  return new Observable((subscriber) => {
    const controller = new AbortController();
    const forward = async (): Promise<void> => {
      const events = follow(AbortSignal.any([controller.signal, closing]));
      for await (const event of events) subscriber.next(event ?? { comment: 'still here' });
      subscriber.complete();
    };
    forward().catch((error: unknown) => subscriber.error(error));
    return () => controller.abort();
  });
}
