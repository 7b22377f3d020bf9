// Runs several streams side by side, a bounded number at a time, and gives out what comes as it comes.

type Arrival<Item> = { readonly iterator: AsyncIterator<Item> } & ({ readonly result: IteratorResult<Item> } | { readonly error: unknown });

/**
 * Items of all streams in order of arrival. A stream is opened when it is its turn and read one item ahead. The first error ends the
 * whole; then, or when the reader stops early, the streams still open are told to return. An async generator that waits for its own
 * source learns of it only when that answers, so a source that takes long needs a signal of its own.
 * @param limit streams open at the same time, ≥ 1
 */
export async function* mergeStreams<Item>(
  streams: readonly (() => AsyncIterable<Item>)[],
  limit: number,
): AsyncGenerator<Item, void, undefined> {
  const arrivals: Arrival<Item>[] = [];
  const open = new Set<AsyncIterator<Item>>();
  let wake = (): void => undefined;
  const arrive = (arrival: Arrival<Item>) => {
    arrivals.push(arrival);
    wake();
  };
  const advance = (iterator: AsyncIterator<Item>) => {
    iterator.next().then(
      (result) => arrive({ iterator, result }),
      (error: unknown) => arrive({ iterator, error }),
    );
  };
  const waiting = streams.values();
  const openNext = () => {
    const next = waiting.next();
    if (next.done === true) return;
    const iterator = next.value()[Symbol.asyncIterator]();
    open.add(iterator);
    advance(iterator);
  };
  try {
    for (let opened = 0; opened < limit; opened++) openNext();
    while (open.size > 0) {
      const arrival = arrivals.shift();
      if (arrival === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      const { iterator } = arrival;
      if ('error' in arrival) {
        open.delete(iterator);
        throw arrival.error;
      }
      if (arrival.result.done === true) {
        open.delete(iterator);
        openNext();
        continue;
      }
      advance(iterator);
      yield arrival.result.value;
    }
  } finally {
    for (const iterator of open) iterator.return?.().catch(() => undefined);
  }
}
