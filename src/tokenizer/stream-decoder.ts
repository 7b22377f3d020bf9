// Text from tokens one at a time, never taking back what was given out: characters cut by token borders wait for their rest.

/** Joins tokens to text as they come. The pieces joined are exactly the text of all tokens together. */
export interface StreamDecoder {
  /** Takes the next token; returns the text that is final with it, possibly empty. */
  push(id: number): string;
  /** Ends the stream; returns what was held back (an unfinished character becomes U+FFFD). */
  end(): string;
}

/** A token as a byte-level stream sees it: raw bytes, or (an added token) text that stands for itself; undefined gives nothing. */
export type BytePiece = Uint8Array | string | undefined;

/** For byte-level vocabularies: one streaming UTF-8 decoder, constant work per token. An added token ends a byte run, as in tokenizers' ByteLevel. */
export class ByteStreamDecoder implements StreamDecoder {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(private readonly pieceOf: (id: number) => BytePiece) {}

  push(id: number): string {
    const piece = this.pieceOf(id);
    if (piece === undefined) return '';
    if (typeof piece === 'string') return this.end() + piece;
    return this.decoder.decode(piece, { stream: true });
  }

  end(): string {
    return this.decoder.decode();
  }
}

const REPLACEMENT = '\uFFFD';
/** Tokens of the prompt kept as left context; the first decides about a leading space, the rest may be special tokens that print nothing. */
const CONTEXT_TOKENS = 6;
/** A character has at most four bytes, so a window that stays unfinished longer holds bytes that can never become one. */
const LONGEST_WINDOW = 64;

/**
 * For every other vocabulary: decodes a short window of tokens again with each new one and gives out what grew.
 * The window keeps one finished stretch as left context, since decoders treat the first token apart (SentencePiece's leading space).
 * A trailing U+FFFD may be a character whose bytes are still to come, so it waits.
 */
export class WindowStreamDecoder implements StreamDecoder {
  private readonly ids: number[];
  /** How much of the window's text was given out, in UTF-16 units. */
  private printed: number;
  /** Tokens at the window's start whose text ends at a character border. */
  private finished: number;

  constructor(
    private readonly decode: (ids: readonly number[]) => string,
    context: readonly number[] = [],
  ) {
    this.ids = context.slice(-CONTEXT_TOKENS);
    this.printed = this.decode(this.ids).length;
    this.finished = this.ids.length;
  }

  push(id: number): string {
    this.ids.push(id);
    const text = this.decode(this.ids);
    const unfinished = text.endsWith(REPLACEMENT);
    const piece = text.slice(this.printed, unfinished ? -1 : undefined);
    this.printed += piece.length;
    if (!unfinished || this.ids.length > LONGEST_WINDOW) this.moveWindow(unfinished);
    return piece;
  }

  end(): string {
    const piece = this.decode(this.ids).slice(this.printed);
    this.printed += piece.length;
    return piece;
  }

  private moveWindow(unfinished: boolean): void {
    if (unfinished) {
      // Only invalid bytes get here; keeping the last few tokens keeps any character that could still be completed.
      this.ids.splice(0, this.ids.length - 8);
      this.printed = Math.max(0, this.decode(this.ids).length - 1);
      this.finished = 0;
      return;
    }
    // A stretch that prints nothing by itself is no context; the one before it is kept instead, if there is one.
    if (this.decode(this.ids.slice(this.finished)) !== '') this.ids.splice(0, this.finished);
    else if (this.finished > 0) this.ids.length = this.finished;
    this.printed = this.decode(this.ids).length;
    this.finished = this.ids.length;
  }
}
