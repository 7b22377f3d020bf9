// Held-out exact match of a model or a mixture, asked of a hub as any client would: greedy, the first line, compared whole.
import { type HubClient } from '#src/cli/hub-client.js';

export interface TaskExample {
  readonly prompt: string;
  readonly completion: string;
}

/** A base model, adapter or composition by name, or a mixture on a base model. */
export interface Asked {
  readonly model: string;
  readonly mixture?: readonly { readonly adapter: string; readonly weight: number }[];
}

export interface ExactMatchOptions {
  /** Tokens an answer may have; enough for the longest. */
  readonly maxTokens: number;
}

// Prompts in one request; the hub batches them further.
const PROMPTS_PER_REQUEST = 50;

/** The share of examples whose answer is the completion, 0…1. */
export async function measureExactMatch(
  hub: HubClient,
  asked: Asked,
  examples: readonly TaskExample[],
  options: ExactMatchOptions,
): Promise<number> {
  let right = 0;
  for (let from = 0; from < examples.length; from += PROMPTS_PER_REQUEST) {
    const part = examples.slice(from, from + PROMPTS_PER_REQUEST);
    const { choices } = await hub.complete({
      ...asked,
      prompt: part.map(({ prompt }) => prompt),
      max_tokens: options.maxTokens,
      temperature: 0,
      stop: ['\n'],
    });
    const answers = new Map(choices.map(({ index, text }) => [index, text.trim()]));
    right += part.filter(({ completion }, i) => answers.get(i) === completion.trim()).length;
  }
  return examples.length === 0 ? 0 : right / examples.length;
}
