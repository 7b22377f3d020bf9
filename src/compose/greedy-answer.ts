// One answer, decoded greedily: its tokens end at an end of sequence, or where the next text of a prompt would begin.
import { BraidError } from '#src/http/braid-error.js';
import type { Engine, Mixture } from '#src/runtime/engine.js';
import { patiently } from '#src/runtime/patiently.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

export interface GreedyOptions {
  readonly engine: Engine;
  readonly codec: TextCodec;
  /** Ends an answer as the end of sequence does, where the examples have texts in front. */
  readonly separator?: string | undefined;
  readonly signal: AbortSignal;
  /** As of the engine's requests. @default false */
  readonly background?: boolean;
}

export interface GreedyAnswer {
  readonly text: string;
  /** False when it was cut before its end. */
  readonly isComplete: boolean;
}

/**
 * What a mixture answers to an example; undefined where the model computes no finite number.
 * @param maxTokens of the answer; fewer where the context ends before
 * @throws what the engine throws, save NOT_FINITE; the signal's reason when it is aborted
 */
export async function answerGreedily(
  { ids, from }: TokenizedExample,
  mixture: Mixture,
  maxTokens: number,
  options: GreedyOptions,
): Promise<GreedyAnswer | undefined> {
  const { engine, codec, signal, background = false } = options;
  const prompt = ids.slice(0, from);
  const attempt = async (): Promise<GreedyAnswer> => {
    const answer = new AnswerText(prompt, options);
    const tokens = engine.generate({
      ids: prompt,
      mixture,
      // The example itself fits, so there is room for one token at least.
      maxTokens: Math.min(maxTokens, engine.contextLength - from),
      stopTokens: codec.eosTokenIds,
      sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
      topLogprobs: 0,
      stream: false,
      background,
      signal,
    });
    for await (const { id } of tokens) if (answer.push(id)) break;
    return answer.end();
  };
  try {
    return await patiently(attempt, signal);
  } catch (error) {
    if (error instanceof BraidError && error.code === 'NOT_FINITE') return undefined;
    throw error;
  }
}

/** The example's own answer, as it reads when greedy decoding gives exactly its tokens. */
export function readOwnAnswer({ ids, from }: TokenizedExample, options: Pick<GreedyOptions, 'codec' | 'separator'>): GreedyAnswer {
  const answer = new AnswerText(ids.slice(0, from), options);
  for (const id of ids.slice(from)) if (answer.push(id)) break;
  return answer.end();
}

/** The text of an answer's tokens as they come. */
class AnswerText {
  private readonly decoder;
  private readonly ends: ReadonlySet<number>;
  private readonly separator: string | undefined;
  private text = '';
  private hasEnded = false;
  private isCut = false;

  constructor(prompt: readonly number[], { codec, separator }: Pick<GreedyOptions, 'codec' | 'separator'>) {
    this.decoder = codec.createStreamDecoder({ context: prompt });
    this.ends = new Set(codec.eosTokenIds);
    this.separator = separator;
  }

  /** @returns whether the answer ends with this token */
  push(id: number): boolean {
    this.hasEnded = this.ends.has(id);
    if (this.hasEnded) return true;
    this.text += this.decoder.push(id);
    const end = this.separator === undefined ? -1 : this.text.indexOf(this.separator);
    if (end < 0) return false;
    this.text = this.text.slice(0, end);
    this.isCut = true;
    return true;
  }

  end(): GreedyAnswer {
    // What the decoder still holds back of an answer that was cut stands behind the separator.
    return { text: this.isCut ? this.text : this.text + this.decoder.end(), isComplete: this.hasEnded || this.isCut };
  }
}
