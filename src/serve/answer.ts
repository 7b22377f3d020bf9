// One answer from tokens to text: decoding, stop strings, stop tokens, and the tokens' places in the text.
import type { GeneratedToken, TopLogprobs } from '#src/runtime/engine.js';
import { StopScanner } from '#src/serve/stop-scanner.js';
import type { StreamDecoder } from '#src/tokenizer/stream-decoder.js';

/** A token with what is known about it. */
export interface ScoredToken {
  readonly id: number;
  /** Natural-log probability under the model's own distribution; null for the first token of a text, which nothing precedes. */
  readonly logprob: number | null;
  /** The most likely tokens at this place, most likely first; absent unless asked for. */
  readonly top?: TopLogprobs;
  /** Where the token's text begins in the answer's text, in Unicode code points. */
  readonly offset: number;
}

export interface Finish {
  readonly reason: 'stop' | 'length';
  /** What stopped it: a stop string, one of the request's stop tokens; null at an end-of-sequence token or the length limit. */
  readonly stopReason: string | number | null;
}

/** A stretch of an answer. The stretches of one answer, in order, are the answer. */
export interface AnswerPiece {
  /** Final text; possibly empty while a character or a stop string may still be completed. */
  readonly text: string;
  readonly tokens: readonly ScoredToken[];
  /** How many of the tokens were generated (as opposed to echoed). */
  readonly generatedTokens: number;
  /** On the last piece only. */
  readonly finish?: Finish;
}

export interface AnswerOptions {
  readonly stopStrings: readonly string[];
  /** The stop tokens that the request itself named: reported as the reason. */
  readonly namedStopTokens: ReadonlySet<number>;
  /** Keep the stop string, or the text of a stop token, in the answer. */
  readonly includeStop: boolean;
  /** A text that ends the answer as an end-of-sequence token does: never part of it, and not named as what stopped it. */
  readonly separator?: string | undefined;
  /** Texts end the answer only behind so many tokens. @default 0 */
  readonly minTokens?: number;
  /** Code points of the answer's text before the first generated token (an echoed prompt). */
  readonly startOffset: number;
}

/** Code points, which is how Python clients count the characters of `text_offset`. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    count++;
    const codePoint = text.codePointAt(i) ?? 0;
    if (codePoint > 0xffff) i++;
  }
  return count;
}

/**
 * Turns an engine's tokens into pieces of an answer. Ends, and closes the engine's stream, at the first stop string.
 * A stop token is reported with its probability, its text is not part of the answer (as in vLLM).
 */
export async function* readAnswer(
  tokens: AsyncIterable<GeneratedToken>,
  decoder: StreamDecoder,
  options: AnswerOptions,
): AsyncGenerator<AnswerPiece, void, undefined> {
  const { stopStrings, separator, minTokens = 0 } = options;
  const scanner = new StopScanner(separator === undefined ? stopStrings : [...stopStrings, separator]);
  let offset = options.startOffset;
  let generated = 0;
  for await (const token of tokens) {
    generated++;
    const isStopToken = token.finish === 'stop';
    let decoded = isStopToken && !options.includeStop ? '' : decoder.push(token.id);
    if (token.finish !== undefined) decoded += decoder.end();
    const scored: ScoredToken = { id: token.id, logprob: token.logprob, offset, ...(token.top === undefined ? {} : { top: token.top }) };
    offset += countCodePoints(decoded);
    const { text, matched } = generated > minTokens ? scanner.push(decoded) : { text: decoded };
    const piece = { tokens: [scored], generatedTokens: 1 };
    if (matched !== undefined && matched === separator && !stopStrings.includes(matched)) {
      yield { ...piece, text, finish: { reason: 'stop', stopReason: null } };
      return;
    }
    if (matched !== undefined) {
      yield { ...piece, text: options.includeStop ? text + matched : text, finish: { reason: 'stop', stopReason: matched } };
      return;
    }
    if (token.finish !== undefined) {
      const stopReason = isStopToken && options.namedStopTokens.has(token.id) ? token.id : null;
      yield { ...piece, text: text + scanner.end(), finish: { reason: token.finish, stopReason } };
      return;
    }
    yield { ...piece, text };
  }
}
