// `braid compare`: what several models write after one prompt, side by side.
import { text as readAll } from 'node:stream/consumers';
import { type Command } from 'commander';
import { Invocation, type CliContext } from '../invocation.js';
import { versionedName } from '../options.js';
import { renderComparison } from '../render/comparison.js';
import { addSamplingOptions, samplingFields, type SamplingOptions } from '../sampling-options.js';

export function registerCompare(program: Command, context: CliContext): void {
  const command = program
    .command('compare')
    .summary('continue a prompt with several models')
    .description('Continue one prompt with several base models, adapters or compositions at once. One that fails does not stop the others.')
    .usage('[options] <model> <model...> <prompt>')
    .argument('<words...>', 'models (ns/name or ns/name@version), then the text to continue; - reads it from standard input')
    .addHelpText('after', '\nExample:\n  braid compare acme/tiny acme/reverse me/both "REVERSE UPPER: ab cd =>"');
  addSamplingOptions(command).action(async (words: readonly string[], options: SamplingOptions) => {
    const invocation = new Invocation(context, command);
    const { models, prompt } = parseWords(command, words);
    const request = { models, prompt: prompt === '-' ? await readAll(process.stdin) : prompt, ...samplingFields(options) };
    const comparison = await invocation.hub.compare(request);
    invocation.show(comparison, () => renderComparison(comparison, invocation.terminal));
  });
}

/** @throws CommanderError of wrong usage */
function parseWords(command: Command, words: readonly string[]): { readonly models: readonly string[]; readonly prompt: string } {
  const models = words.slice(0, -1);
  const prompt = words.at(-1);
  if (prompt === undefined || models.length < 2) {
    command.error('error: name at least two models, then the prompt: braid compare ns/one ns/two "text"', { exitCode: 2 });
  }
  for (const model of models) versionedName(model);
  return { models, prompt };
}
