// From a checked request to the rows that the engine generates: tokens, limits, sampling, stops. Pure; reads the codec and the model's limits.
import { randomInt } from 'node:crypto';
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import type { Sampling } from '#src/runtime/engine.js';
import { countCodePoints } from '#src/serve/answer.js';
import type { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { assertTokens, describeTokens, encodeChat, type EncodedPrompt, encodePrompt, type ModelLimits } from '#src/serve/encode-prompt.js';
import { findTextStart, writeFront } from '#src/serve/front.js';
import type { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';
import { planSampling } from '#src/serve/plan-sampling.js';
import { findPrompts, type Prompt } from '#src/serve/prompt.js';
import { failServe } from '#src/serve/serve.errors.js';
import { SEPARATOR } from '#src/tokenizer/shots.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

/** An echoed prompt, without what the model puts in front of it: its text, and where in it each of its tokens begins. */
export interface Echo {
  readonly text: string;
  /** The first of the prompt's ids that is echoed. */
  readonly from: number;
  /** In code points, one per token; empty unless the tokens are scored. */
  readonly offsets: readonly number[];
  readonly isScored: boolean;
}

export interface PromptPlan {
  /** All that is computed: what the model puts in front, too. */
  readonly ids: readonly number[];
  /** Present when the answer begins with the prompt. */
  readonly echo?: Echo;
  /** 0 only with an echo. */
  readonly maxTokens: number;
}

export interface GenerationPlan {
  readonly prompts: readonly PromptPlan[];
  /** Answers per prompt; answer i of prompt p has index p·n + i. */
  readonly n: number;
  readonly sampling: Omit<Sampling, 'seed'>;
  /** One per answer of a prompt. */
  readonly seeds: readonly number[];
  /** No answer ends before it has so many tokens. */
  readonly minTokens: number;
  /** Every token that ends an answer. */
  readonly stopTokens: readonly number[];
  /** Those that the request named. */
  readonly namedStopTokens: ReadonlySet<number>;
  readonly stopStrings: readonly string[];
  readonly includeStop: boolean;
  /** Ends an answer as an end-of-sequence token does, where the model puts texts in front. */
  readonly separator: string | undefined;
  readonly skipSpecialTokens: boolean;
  /** How many of the most likely tokens to report; undefined: no log-probabilities at all. */
  readonly topLogprobs: number | undefined;
  readonly returnsTokenIds: boolean;
  readonly isStream: boolean;
}

/** vLLM's default, which is OpenAI's. */
const DEFAULT_COMPLETION_TOKENS = 16;
/** Answers of one request; more belong into several requests, of which each can fail alone. */
const MAX_ANSWERS = 4096;

export interface CompletionDefaults {
  /** The name of the prompt in the request, for errors. @default 'prompt' */
  readonly field?: string;
  /** Tokens to generate where the request does not say; never more than fit. @default 16 */
  readonly maxTokens?: number;
}

/**
 * @param own what the model puts in front of every prompt
 * @throws BraidError INVALID_VALUE, CONTEXT_LENGTH_EXCEEDED, PROMPT_IS_CHAT
 */
export function planCompletion(
  request: CompletionRequestDto,
  codec: TextCodec,
  limits: ModelLimits,
  own: CompositionPrompt | null = null,
  { field: name = 'prompt', maxTokens = DEFAULT_COMPLETION_TOKENS }: CompletionDefaults = {},
): GenerationPlan {
  const front = writeFront(request.model, own);
  const prompts = findPrompts(request.prompt) ?? [];
  const echo = request.echo ?? false;
  const topLogprobs = request.logprobs ?? undefined;
  if (echo && limits.hasEncoder) {
    throw failServe('INVALID_VALUE', {
      field: 'echo',
      rule: 'is not possible with this model: its encoder reads the prompt, and nothing predicts it',
    });
  }
  if (request.max_tokens === 0 && !echo) {
    throw failServe('INVALID_VALUE', { field: 'max_tokens', rule: 'must be at least 1; 0 scores a given text and needs echo: true' });
  }
  return {
    ...planAnswers(request, codec, limits, prompts.length),
    separator: front === '' || request.ignore_eos === true ? undefined : SEPARATOR,
    topLogprobs,
    prompts: prompts.map((prompt, i) => {
      const field = prompts.length === 1 ? name : `${name}[${i}]`;
      const addSpecialTokens = request.add_special_tokens ?? true;
      const encoded = encodePrompt(prompt, codec, limits, { field, addSpecialTokens, front, own });
      return {
        ids: encoded.ids,
        ...(echo ? { echo: planEcho(prompt, encoded, codec, { isScored: topLogprobs !== undefined, addSpecialTokens, front }) } : {}),
        maxTokens: planMaxTokens(encoded.ids.length, request, maxTokens, limits, { field, own }),
      };
    }),
  };
}

/**
 * @param own what the model puts in front of every conversation
 * @throws BraidError INVALID_VALUE, UNSUPPORTED_PARAMETER, CONTEXT_LENGTH_EXCEEDED, PROMPT_IS_TEXT, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED
 */
export function planChat(
  request: ChatRequestDto,
  codec: TextCodec,
  limits: ModelLimits,
  own: CompositionPrompt | null = null,
): GenerationPlan {
  const wantsLogprobs = request.logprobs ?? false;
  const topLogprobs = request.top_logprobs ?? 0;
  if (topLogprobs > 0 && !wantsLogprobs) throw failServe('INVALID_VALUE', { field: 'top_logprobs', rule: 'needs logprobs: true' });
  const { ids } = encodeChat(request, codec, limits, own);
  const maxTokens = planMaxTokens(
    ids.length,
    { max_tokens: request.max_completion_tokens ?? request.max_tokens ?? null, min_tokens: request.min_tokens ?? null },
    limits.contextLength,
    limits,
    { field: 'messages', own },
  );
  return {
    ...planAnswers(request, codec, limits, 1),
    // A turn has an end of its own.
    separator: undefined,
    topLogprobs: wantsLogprobs ? topLogprobs : undefined,
    prompts: [{ ids, maxTokens }],
  };
}

function planAnswers(
  request: GenerationFieldsDto,
  codec: TextCodec,
  limits: ModelLimits,
  promptCount: number,
): Omit<GenerationPlan, 'prompts' | 'separator' | 'topLogprobs'> {
  const n = request.n ?? 1;
  if (n * promptCount > MAX_ANSWERS)
    throw failServe('INVALID_VALUE', {
      field: 'n',
      rule: `times the number of prompts must be at most ${MAX_ANSWERS}, found ${n * promptCount}`,
    });
  if (request.stream_options !== undefined && request.stream_options !== null && request.stream !== true) {
    throw failServe('INVALID_VALUE', { field: 'stream_options', rule: 'needs stream: true' });
  }
  const named = request.stop_token_ids ?? [];
  assertTokens(named, limits, 'stop_token_ids');
  // A tokenizer may name end tokens beyond the model's vocabulary; those never come.
  const stopTokens = [...new Set([...(request.ignore_eos === true ? [] : codec.eosTokenIds), ...named])].filter(
    (id) => id < limits.vocabularySize,
  );
  const stop = request.stop ?? [];
  return {
    n,
    sampling: planSampling(request, stopTokens, limits),
    minTokens: request.min_tokens ?? 0,
    seeds: planSeeds(request.seed ?? undefined, n),
    stopTokens,
    namedStopTokens: new Set(named),
    stopStrings: typeof stop === 'string' ? [stop] : stop,
    includeStop: request.include_stop_str_in_output ?? false,
    skipSpecialTokens: request.skip_special_tokens ?? true,
    returnsTokenIds: request.return_token_ids ?? false,
    isStream: request.stream ?? false,
  };
}

/** Answer i has seed + i, as in vLLM; without a seed every answer has one of its own. */
function planSeeds(seed: number | undefined, n: number): number[] {
  if (seed === undefined) return Array.from({ length: n }, () => randomInt(2 ** 47));
  // OpenAI's seeds have 64 bits, JSON's exact integers 53: larger ones are folded.
  const first = seed % 2 ** 52;
  return Array.from({ length: n }, (_, i) => first + i);
}

function planEcho(
  prompt: Prompt,
  { ids, from }: EncodedPrompt,
  codec: TextCodec,
  how: { readonly isScored: boolean; readonly addSpecialTokens: boolean; readonly front: string },
): Echo {
  const text = 'text' in prompt ? prompt.text : codec.decode(ids.slice(from), { skipSpecialTokens: false });
  if (!how.isScored) return { text, from: 0, offsets: [], isScored: false };
  if (how.front !== '') {
    const start = from ?? findTextStart(ids, how.front, text, codec);
    return { text, from: start, offsets: offsetsOf(ids.slice(start), text, codec), isScored: true };
  }
  // Special tokens that the tokenizer put before a text are not part of it, so they take no place in it.
  const ownTokens = 'text' in prompt && how.addSpecialTokens ? codec.encode(prompt.text, { addSpecialTokens: false }).length : ids.length;
  const added = Math.max(0, ids.length - ownTokens);
  return { text, from: 0, offsets: offsetsOf(ids, text, codec, added), isScored: true };
}

/** Where each token begins in the text, code points; the first `added` ones take no place in it. */
function offsetsOf(ids: readonly number[], text: string, codec: TextCodec, added = 0): number[] {
  const decoder = codec.createStreamDecoder({ skipSpecialTokens: false });
  let offset = 0;
  const offsets = ids.map((id, i) => {
    const start = offset;
    if (i >= added) offset += countCodePoints(decoder.push(id));
    return start;
  });
  const end = countCodePoints(text);
  return offsets.map((start) => Math.min(start, end));
}

/** The tokens to generate: as asked, or by default as many as `defaultTokens` and the context allow. */
function planMaxTokens(
  prompt: number,
  { max_tokens: asked, min_tokens: least }: Pick<CompletionRequestDto, 'max_tokens' | 'min_tokens'>,
  defaultTokens: number,
  { contextLength }: ModelLimits,
  { field, own }: { readonly field: string; readonly own: CompositionPrompt | null },
): number {
  const answer = asked ?? Math.max(1, Math.min(defaultTokens, contextLength - prompt));
  if (prompt + answer > contextLength) {
    throw failServe('CONTEXT_LENGTH_EXCEEDED', { field, limit: contextLength, prompt: describeTokens(prompt, own), answer });
  }
  if ((least ?? 0) > answer)
    throw failServe('INVALID_VALUE', {
      field: 'min_tokens',
      rule: `must be at most max_tokens, which is ${answer} here; found ${least ?? 0}`,
    });
  return answer;
}
