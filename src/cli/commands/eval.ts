// `braid eval`: measures models on examples, showing how far it is; several are compared with the first.
import { type Command } from 'commander';
import { evaluateModels, nameOfFile } from '../evaluate-models.js';
import { Invocation, ownOptions, type CliContext } from '../invocation.js';
import { choiceList, versionedName, wholeNumber } from '../options.js';
import { readExamples } from '../read-examples.js';
import { renderEvaluations } from '../render/evaluations.js';

interface EvalOptions {
  /** A path. */
  readonly examples: string;
  readonly name?: string;
  readonly maxTokens?: number;
  readonly choices?: readonly string[];
  readonly lengthNormalized?: boolean;
}

export function registerEval(program: Command, context: CliContext): void {
  program
    .command('eval')
    .summary('measure models on examples')
    .description(
      'Measure base models, adapters and compositions on examples: loss, exact match, and accuracy among choices, each with a 95 % interval. The results are kept with the version; the same command again shows them, or goes on where it was.',
    )
    .argument('<models...>', 'names, ns/name or ns/name@version; the others are compared with the first', modelNames)
    .requiredOption('--examples <file>', 'JSON lines with prompt and completion, or messages; - reads standard input')
    .option('--name <name>', "the evaluation's name, by which search finds it (default: the file's name)")
    .option('--max-tokens <n>', 'tokens an answer may have (default: 32, or what the longest completion needs)', wholeNumber(1, 100_000))
    .option('--choices <a,b,c>', 'every answer is one of these: which one the model finds likeliest is its accuracy', choiceList)
    .option('--length-normalized', "divide a choice's log-likelihood by its tokens")
    .addHelpText(
      'after',
      '\nExact match compares the first line of a greedy answer, stripped, with the completion.\nCtrl-C cancels; what is done stays done.\n\nExample:\n  braid eval hf/smollm2 acme/upper-words --examples test.jsonl',
    )
    .action(async (models: readonly string[], options: EvalOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const { examples: file, name = nameOfFile(file), ...rest } = ownOptions(options);
      const examples = await readExamples(file);
      const { evaluations, differences } = await evaluateModels(invocation, models, { name, examples, ...rest });
      invocation.show({ evaluations, differences }, () => renderEvaluations(evaluations, differences, invocation.terminal));
    });
}

function modelNames(text: string, before: readonly string[] | undefined): string[] {
  versionedName(text);
  return [...(before ?? []), text];
}
