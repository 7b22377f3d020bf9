// Pieces of an answer in LoRAX's shapes: one object, or an event per token.
import type { TopLogprobs } from '#src/runtime/engine.js';
import type { AnswerPiece, Finish } from '#src/serve/answer.js';
import { finite } from '#src/serve/logprobs.js';
import type { IndexedPiece } from '#src/serve/run-plan.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

interface LoraxTokenText {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
}

interface LoraxToken extends LoraxTokenText {
  /** The token says nothing in the text: who joins texts leaves it out. */
  readonly special: boolean;
  readonly alternative_tokens?: readonly LoraxTokenText[];
}

interface LoraxCounts {
  readonly finish_reason: 'length' | 'eos_token' | 'stop_sequence';
  readonly prompt_tokens: number;
  readonly generated_tokens: number;
  /** Null where nothing is sampled. */
  readonly seed: number | null;
}

interface LoraxDetails extends LoraxCounts {
  /** The prompt's tokens, where asked for; the first has no probability. */
  readonly prefill: readonly (Omit<LoraxTokenText, 'logprob'> & { readonly logprob: number | null })[];
  readonly tokens: readonly LoraxToken[];
}

export interface LoraxAnswer {
  readonly generated_text: string;
  readonly details?: LoraxDetails;
}

export interface LoraxEvent {
  readonly token: LoraxToken;
  /** All of the text, in the last event. */
  readonly generated_text: string | null;
  readonly details: LoraxCounts | null;
}

export interface LoraxAnswerOptions {
  readonly codec: TextCodec;
  /** What generated_text begins with: the inputs, or nothing. */
  readonly lead: string;
  readonly hasDetails: boolean;
  readonly hasAlternatives: boolean;
  readonly seed: number | null;
}

/** All pieces as one object. An echoed prompt is its prefill. */
export async function writeLoraxAnswer(pieces: AsyncIterable<IndexedPiece>, options: LoraxAnswerOptions): Promise<LoraxAnswer> {
  const { codec, lead, hasDetails, seed } = options;
  const tokens: LoraxToken[] = [];
  let prefill: LoraxDetails['prefill'] = [];
  let text = lead;
  let promptTokens = 0;
  let finish: Finish | undefined;
  for await (const { prompt, piece } of pieces) {
    promptTokens = prompt.ids.length;
    if (piece.generatedTokens === 0) {
      prefill = piece.tokens.map(({ id, logprob }) => ({
        id,
        text: codec.tokenText(id),
        logprob: logprob === null ? null : finite(logprob),
      }));
      continue;
    }
    tokens.push(writeToken(piece, options));
    text += piece.text;
    finish = piece.finish;
  }
  if (!hasDetails) return { generated_text: text };
  const counts = writeCounts(finish, { promptTokens, generatedTokens: tokens.length, seed });
  return { generated_text: text, details: { ...counts, prefill, tokens } };
}

/** An event per token. */
export async function* writeLoraxEvents(
  pieces: AsyncIterable<IndexedPiece>,
  options: LoraxAnswerOptions,
): AsyncGenerator<LoraxEvent, void, undefined> {
  const { lead, hasDetails, seed } = options;
  let text = lead;
  let generatedTokens = 0;
  for await (const { prompt, piece } of pieces) {
    text += piece.text;
    generatedTokens++;
    const { finish } = piece;
    const isLast = finish !== undefined;
    yield {
      token: writeToken(piece, options),
      generated_text: isLast ? text : null,
      details: isLast && hasDetails ? writeCounts(finish, { promptTokens: prompt.ids.length, generatedTokens, seed }) : null,
    };
  }
}

/** A generated piece has one token; its text is what the piece adds, so that texts join to the answer. */
function writeToken({ text, tokens }: AnswerPiece, { codec, hasAlternatives }: LoraxAnswerOptions): LoraxToken {
  const [token] = tokens;
  if (token === undefined) throw new Error('a generated piece without a token');
  const { id, logprob, top } = token;
  const special = text === '' && codec.isSpecial(id);
  return {
    id,
    text: special ? codec.tokenText(id) : text,
    logprob: finite(logprob ?? Number.NEGATIVE_INFINITY),
    special,
    ...(hasAlternatives ? { alternative_tokens: writeAlternatives(top, codec) } : {}),
  };
}

function writeAlternatives(top: TopLogprobs | undefined, codec: TextCodec): LoraxTokenText[] {
  return (top?.ids ?? []).map((id, i) => ({
    id,
    text: codec.tokenText(id),
    logprob: finite(top?.logprobs[i] ?? Number.NEGATIVE_INFINITY),
  }));
}

function writeCounts(
  finish: Finish | undefined,
  {
    promptTokens,
    generatedTokens,
    seed,
  }: { readonly promptTokens: number; readonly generatedTokens: number; readonly seed: number | null },
): LoraxCounts {
  const reason = finish?.reason === 'stop' ? (finish.stopReason === null ? 'eos_token' : 'stop_sequence') : 'length';
  return { finish_reason: reason, prompt_tokens: promptTokens, generated_tokens: generatedTokens, seed };
}
