// The tokens of one request on their way to its reader: filled by runs, read at the reader's pace, ended by either side.
import type { GeneratedToken } from './engine.js';

/** An iterator that can be returned at any time, also while a `next()` waits (an async generator cannot). */
export class TokenStream implements AsyncIterableIterator<GeneratedToken> {
  private readonly tokens: GeneratedToken[] = [];
  private readonly readers: { resolve: (result: IteratorResult<GeneratedToken>) => void; reject: (reason: unknown) => void }[] = [];
  private ending: { error?: unknown } | undefined;
  private hasStarted = false;

  /**
   * @param start called at the first `next()`: a stream nobody reads costs nothing
   * @param leave called when the reader returns before the end
   */
  constructor(
    private readonly start: (stream: TokenStream) => void,
    private readonly leave: () => void,
  ) {}

  push(tokens: readonly GeneratedToken[]): void {
    if (this.ending !== undefined) return;
    this.tokens.push(...tokens);
    this.serve();
  }

  end(): void {
    this.ending ??= {};
    this.serve();
  }

  /** Tokens already pushed are still read first. */
  fail(error: unknown): void {
    this.ending ??= { error };
    this.serve();
  }

  next(): Promise<IteratorResult<GeneratedToken>> {
    if (!this.hasStarted) {
      this.hasStarted = true;
      if (this.ending === undefined) this.start(this);
    }
    return new Promise((resolve, reject) => {
      this.readers.push({ resolve, reject });
      this.serve();
    });
  }

  return(): Promise<IteratorResult<GeneratedToken>> {
    const isOpen = this.ending === undefined;
    this.ending = {};
    if (isOpen) this.leave();
    this.tokens.length = 0;
    this.serve();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private serve(): void {
    while (this.readers.length > 0) {
      const token = this.tokens.shift();
      if (token === undefined && this.ending === undefined) return;
      const reader = this.readers.shift();
      if (token !== undefined) reader?.resolve({ done: false, value: token });
      else if (this.ending !== undefined && 'error' in this.ending) {
        const { error } = this.ending;
        // Thrown once; a reader that goes on finds the stream at its end.
        this.ending = {};
        reader?.reject(error);
      } else reader?.resolve({ done: true, value: undefined });
    }
  }
}
