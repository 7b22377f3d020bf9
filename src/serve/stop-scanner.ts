// Finds stop strings in a text that comes in pieces, holding back just what may still become one.

export interface ScannedText {
  /** Text that is final: it neither is nor can become part of a stop string. */
  readonly text: string;
  /** The stop string that was found; `text` ends before it, and nothing follows. */
  readonly matched?: string;
}

/**
 * One scanner per answer. Each stop string is followed by a Knuth-Morris-Pratt automaton, so the work per character does not depend
 * on how much is held back, however the pieces and the repetitions in a stop string fall.
 */
export class StopScanner {
  private readonly patterns: readonly Pattern[];
  private readonly matchedLengths: number[];
  private held = '';

  /** @param stops none of them empty; of two that end at the same character the one that began first wins */
  constructor(stops: readonly string[]) {
    this.patterns = stops.map((text) => ({ text, fallback: fallbackLengths(text) }));
    this.matchedLengths = this.patterns.map(() => 0);
  }

  /** Takes the next piece. After a match the scanner is done. */
  push(piece: string): ScannedText {
    if (this.patterns.length === 0) return { text: piece };
    const text = this.held + piece;
    for (let end = this.held.length; end < text.length; end++) {
      const matched = this.step(text.charCodeAt(end));
      if (matched !== undefined) {
        this.held = '';
        return { text: text.slice(0, end + 1 - matched.length), matched };
      }
    }
    const final = text.length - Math.max(...this.matchedLengths);
    this.held = text.slice(final);
    return { text: text.slice(0, final) };
  }

  /** The answer is over: what was held back is text after all. */
  end(): string {
    const { held } = this;
    this.held = '';
    return held;
  }

  /** Moves every automaton by one character; the longest stop string that ends here, if any. */
  private step(character: number): string | undefined {
    let matched: string | undefined;
    for (const [index, { text, fallback }] of this.patterns.entries()) {
      let length = this.matchedLengths[index] ?? 0;
      while (length > 0 && text.charCodeAt(length) !== character) length = fallback[length - 1] ?? 0;
      if (text.charCodeAt(length) === character) length++;
      this.matchedLengths[index] = length;
      if (length === text.length && length > (matched?.length ?? 0)) matched = text;
    }
    return matched;
  }
}

interface Pattern {
  readonly text: string;
  readonly fallback: readonly number[];
}

/** For each prefix of the text, the length of its longest proper prefix that is also its suffix (Knuth, Morris, Pratt 1977). */
function fallbackLengths(text: string): number[] {
  const lengths = [0];
  let length = 0;
  for (let end = 1; end < text.length; end++) {
    while (length > 0 && text[length] !== text[end]) length = lengths[length - 1] ?? 0;
    if (text[length] === text[end]) length++;
    lengths.push(length);
  }
  return lengths;
}
