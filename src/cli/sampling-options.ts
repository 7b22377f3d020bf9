// The options with which every command that generates text says how.
import { type Command } from 'commander';
import { collect, realNumber, wholeNumber } from './options.js';

export interface SamplingOptions {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option('--max-tokens <n>', 'tokens at most', wholeNumber(1, 1_000_000), 64)
    .option('--temperature <t>', '0 takes the likeliest token', realNumber(0, 100), 0)
    .option('--top-p <p>', 'sample from the likeliest tokens that hold this share', realNumber(0, 1))
    .option('--top-k <n>', 'sample from this many likeliest tokens', wholeNumber(1, 1_000_000))
    .option('--seed <n>', 'the same seed samples the same text', wholeNumber(0, 2 ** 31 - 1))
    .option('--stop <text>', 'end before this text; may be repeated', collect);
}

/** As the fields of a request; what is absent stays out. */
export function samplingFields({ maxTokens, temperature, topP, topK, seed, stop }: SamplingOptions): Readonly<Record<string, unknown>> {
  const fields = { max_tokens: maxTokens, temperature, top_p: topP, top_k: topK, seed, stop };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
