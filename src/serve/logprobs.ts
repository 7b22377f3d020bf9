// Log-probabilities in the two shapes that OpenAI's API has: four parallel lists for completions, one list of objects for chats.
import type { TopLogprobs } from '#src/runtime/engine.js';
import type { ScoredToken } from '#src/serve/answer.js';

/** How a token is written in an answer. */
export interface TokenWriter {
  text(id: number): string;
  bytes(id: number): Uint8Array;
}

export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[];
  text_offset: number[];
}

export interface ChatTokenLogprob {
  token: string;
  logprob: number;
  bytes: number[];
}

export interface ChatLogprobs {
  content: (ChatTokenLogprob & { top_logprobs: ChatTokenLogprob[] })[];
  refusal: null;
}

/** JSON has no infinity; OpenAI writes −9999.0 for a token that is all but impossible. */
const LEAST_LOGPROB = -9999;

/** As JSON can say it. */
export function finite(logprob: number): number {
  return logprob >= LEAST_LOGPROB ? logprob : LEAST_LOGPROB;
}

function pairs(top: TopLogprobs | undefined): (readonly [id: number, logprob: number])[] {
  return (top?.ids ?? []).map((id, i) => [id, finite(top?.logprobs[i] ?? Number.NEGATIVE_INFINITY)]);
}

/** `top_logprobs` holds the n most likely tokens and the token itself, so up to n + 1; null for a text's first token. */
export function renderCompletionLogprobs(tokens: readonly ScoredToken[], write: TokenWriter): CompletionLogprobs {
  return {
    tokens: tokens.map(({ id }) => write.text(id)),
    token_logprobs: tokens.map(({ logprob }) => (logprob === null ? null : finite(logprob))),
    top_logprobs: tokens.map(({ id, logprob, top }) => {
      if (logprob === null) return null;
      // Two tokens may be written alike: the likelier one stays, and the token itself always does.
      const likely = new Map<string, number>();
      for (const [topId, topLogprob] of pairs(top)) if (!likely.has(write.text(topId))) likely.set(write.text(topId), topLogprob);
      return Object.fromEntries(likely.set(write.text(id), finite(logprob)));
    }),
    text_offset: tokens.map(({ offset }) => offset),
  };
}

export function renderChatLogprobs(tokens: readonly ScoredToken[], write: TokenWriter): ChatLogprobs {
  const entry = (id: number, logprob: number): ChatTokenLogprob => ({
    token: write.text(id),
    logprob: finite(logprob),
    bytes: [...write.bytes(id)],
  });
  return {
    content: tokens.map(({ id, logprob, top }) => ({
      ...entry(id, logprob ?? Number.NEGATIVE_INFINITY),
      top_logprobs: pairs(top).map(([topId, topLogprob]) => entry(topId, topLogprob)),
    })),
    refusal: null,
  };
}
