// Few-shot prompting: every example with all the others before it, as someone would ask the base model without any adapter.
import type { ChatMessage } from './chat-template.js';
import { type Example, type PlacedExample, type TokenizedExample, tokenizeExamples } from './examples.js';
import type { TextCodec } from './text-codec.js';

/** Between examples; it also ends an answer, because a prompted model does not end the text. */
const SEPARATOR = '\n\n';

/**
 * Tokens of each example with the others in its prompt: texts with a blank line between them, chats as earlier turns.
 * Undefined with fewer than two examples, with examples of both forms, or where one of them does not fit the context.
 */
export function promptWithOthers(
  examples: readonly PlacedExample[],
  codec: TextCodec,
  contextLength: number,
): readonly TokenizedExample[] | undefined {
  if (examples.length < 2) return undefined;
  const prompted = examples.map(({ place, example }, i) => {
    const others = examples.filter((_, j) => j !== i).map((other) => other.example);
    const joined = joinExamples(others, example);
    return joined === undefined ? undefined : { place, example: joined };
  });
  if (prompted.some((example) => example === undefined)) return undefined;
  const tokenized = tokenizeExamples(
    prompted.filter((example) => example !== undefined),
    codec,
    Number.MAX_SAFE_INTEGER,
  );
  if (tokenized.some(({ ids }) => ids.length > contextLength)) return undefined;
  return tokenized.map(withoutEnd(codec));
}

function joinExamples(others: readonly Example[], asked: Example): Example | undefined {
  if (typeof asked.prompt === 'string' && typeof asked.completion === 'string') {
    const texts: string[] = [];
    for (const { prompt, completion } of others) {
      if (typeof prompt !== 'string' || typeof completion !== 'string') return undefined;
      texts.push(prompt + completion + SEPARATOR);
    }
    return { prompt: texts.join('') + asked.prompt, completion: asked.completion + SEPARATOR };
  }
  const turns: ChatMessage[] = [];
  for (const { prompt, completion } of others) {
    if (typeof prompt === 'string' || typeof completion === 'string') return undefined;
    turns.push(...prompt, ...completion);
  }
  return { prompt: [...turns, ...(asked.prompt as readonly ChatMessage[])], completion: asked.completion as readonly ChatMessage[] };
}

/** A prompted answer ends at the separator: the end of sequence behind it is not scored. */
function withoutEnd(codec: TextCodec): (example: TokenizedExample) => TokenizedExample {
  return ({ ids, from }) => {
    const last = ids.at(-1);
    const isEnd = last !== undefined && codec.eosTokenIds.includes(last) && ids.length > from + 1;
    return { ids: isEnd ? ids.slice(0, -1) : ids, from };
  };
}
