// Pieces of answers become one body, or a stream of chunks, in the shape of whichever route asked.
import type { Finish, ScoredToken } from '#src/serve/answer.js';
import type { TokenWriter } from '#src/serve/logprobs.js';
import type { GenerationPlan, PromptPlan } from '#src/serve/plan-generation.js';
import type { IndexedPiece } from '#src/serve/run-plan.js';
import { type Usage, UsageCounter } from '#src/serve/usage.js';

/** What every object of one answer repeats. */
export interface AnswerHead {
  id: string;
  /** Unix seconds. */
  created: number;
  /** As the request named it. */
  model: string;
  system_fingerprint: string;
}

export interface ChoiceContent {
  readonly index: number;
  readonly prompt: PromptPlan;
  readonly text: string;
  readonly tokens: readonly ScoredToken[];
  /** The first tokens that were echoed, not generated. */
  readonly echoedTokens: number;
  readonly finish?: Finish | undefined;
  /** True for a whole answer and for the first chunk of one. */
  readonly isFirst: boolean;
}

export interface RenderOptions {
  readonly write: TokenWriter;
  readonly hasLogprobs: boolean;
  readonly hasTokenIds: boolean;
}

/** A route's shapes. */
export interface AnswerWriter<Body extends { usage?: Usage | null }> {
  /** What a stream sends before the first piece of choice `index`. */
  opening(head: AnswerHead, index: number): Body[];
  chunk(head: AnswerHead, content: ChoiceContent): Body;
  /** The chunk without choices that carries the usage. */
  usageChunk(head: AnswerHead): Body;
  whole(head: AnswerHead, contents: readonly ChoiceContent[]): Body;
}

export interface StreamUsage {
  /** A last chunk with the usage of the whole request; all other chunks then say `usage: null`, as OpenAI's do. */
  readonly atEnd: boolean;
  /** The usage so far in every chunk. */
  readonly continuously: boolean;
}

interface Collected {
  text: string;
  readonly tokens: ScoredToken[];
  echoedTokens: number;
  last: IndexedPiece;
}

/** Reads all pieces and gives the whole answer, choices in order of their index. */
export async function writeWhole<Body extends { usage?: Usage | null }>(
  pieces: AsyncIterable<IndexedPiece>,
  plan: GenerationPlan,
  head: AnswerHead,
  writer: AnswerWriter<Body>,
): Promise<Body> {
  const usage = new UsageCounter(plan);
  const choices = new Map<number, Collected>();
  for await (const indexed of pieces) {
    usage.add(indexed);
    const { index, piece } = indexed;
    const choice = choices.get(index) ?? { text: '', tokens: [], echoedTokens: 0, last: indexed };
    choices.set(index, choice);
    choice.text += piece.text;
    for (const token of piece.tokens) choice.tokens.push(token);
    choice.echoedTokens += piece.tokens.length - piece.generatedTokens;
    choice.last = indexed;
  }
  const contents = [...choices.entries()]
    .sort(([a], [b]) => a - b)
    .map(([index, { text, tokens, echoedTokens, last }]): ChoiceContent => ({
      index,
      prompt: last.prompt,
      text,
      tokens,
      echoedTokens,
      finish: last.piece.finish,
      isFirst: true,
    }));
  return { ...writer.whole(head, contents), usage: usage.usage };
}

/** One chunk per piece that says something, as pieces come. */
export async function* writeChunks<Body extends { usage?: Usage | null }>(
  pieces: AsyncIterable<IndexedPiece>,
  plan: GenerationPlan,
  head: AnswerHead,
  writer: AnswerWriter<Body>,
  streamUsage: StreamUsage,
): AsyncGenerator<Body, void, undefined> {
  const usage = new UsageCounter(plan);
  const withUsage = (body: Body): Body => {
    if (streamUsage.continuously) return { ...body, usage: usage.usage };
    return streamUsage.atEnd ? { ...body, usage: null } : body;
  };
  const opened = new Set<number>();
  const saysTokens = plan.topLogprobs !== undefined || plan.returnsTokenIds;
  for await (const indexed of pieces) {
    usage.add(indexed);
    const { index, prompt, piece } = indexed;
    const isFirst = !opened.has(index);
    if (isFirst) {
      opened.add(index);
      for (const body of writer.opening(head, index)) yield withUsage(body);
    }
    if (!isFirst && piece.text === '' && piece.finish === undefined && !saysTokens) continue;
    const echoedTokens = piece.tokens.length - piece.generatedTokens;
    yield withUsage(
      writer.chunk(head, { index, prompt, text: piece.text, tokens: piece.tokens, echoedTokens, finish: piece.finish, isFirst }),
    );
  }
  if (streamUsage.atEnd) yield { ...writer.usageChunk(head), usage: usage.usage };
}
