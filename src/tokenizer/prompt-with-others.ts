// Few-shot prompting: every example with all the others before it, as someone would ask the base model without any adapter.
import { BraidError } from '#src/http/braid-error.js';
import type { PlacedExample, TokenizedExample } from './examples.js';
import { asShots, shotsBefore, tokenizeBehind } from './shots.js';
import type { TextCodec } from './text-codec.js';

/**
 * Tokens of each example behind all others.
 * @param asked the examples as they are asked, with other answers than in the prompts where a choice is tried @default examples
 * @returns undefined with fewer than two examples, with examples of both forms, or where one of them does not fit the context or the chat template.
 */
export function promptWithOthers(
  examples: readonly PlacedExample[],
  codec: TextCodec,
  contextLength: number,
  asked: readonly PlacedExample[] = examples,
): readonly TokenizedExample[] | undefined {
  const all = asShots(examples.map(({ example }) => example));
  if (examples.length < 2 || all === undefined) return undefined;
  try {
    return asked.map((example, i) => {
      const others = shotsBefore(i, examples.length, examples.length - 1).flatMap((other) => examples[other]?.example ?? []);
      return tokenizeBehind(asShots(others) ?? all, example, codec, contextLength);
    });
  } catch (error) {
    if (error instanceof BraidError && error.status < 500) return undefined;
    throw error;
  }
}
