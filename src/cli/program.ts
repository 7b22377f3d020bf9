// The command tree: names, options, help. Each command registers itself from its own file.
import { Command } from 'commander';
import { registerCompare } from './commands/compare.js';
import { registerComplete } from './commands/complete.js';
import { registerCompose } from './commands/compose.js';
import { registerDiff } from './commands/diff.js';
import { registerEval } from './commands/eval.js';
import { registerExtract } from './commands/extract.js';
import { registerInspect } from './commands/inspect.js';
import { registerExport } from './commands/export.js';
import { registerImport } from './commands/import.js';
import { registerJobs } from './commands/jobs.js';
import { registerList } from './commands/list.js';
import { registerModels } from './commands/models.js';
import { registerPlan } from './commands/plan.js';
import { registerRecompose } from './commands/recompose.js';
import { registerPublish } from './commands/publish.js';
import { registerReport } from './commands/report.js';
import { registerSearch } from './commands/search.js';
import { registerServe } from './commands/serve.js';
import { registerShow } from './commands/show.js';
import { registerTop } from './commands/top.js';
import { registerWorker } from './commands/worker.js';
import { DEFAULT_URL, type CliContext } from './invocation.js';

const EXAMPLES = `
Examples:
  braid serve --data ./data                                       start a hub
  braid plan --base ./SmolLM2-135M-Instruct --rank 8              what training and serving would take
  braid models add ./SmolLM2-135M-Instruct --name hf/smollm2      register a base model on it
  braid publish ./my-adapter acme/reverse --base hf/smollm2       publish a PEFT adapter folder
  braid search "reverse words" --base hf/smollm2                  find adapters
  braid compose acme/new-task --base hf/smollm2 \\
      --examples examples.jsonl --query "words" --top 20          learn a weighted combination from examples
  braid eval hf/smollm2 acme/new-task --examples test.jsonl       measure it against the base
  braid complete acme/new-task "abc =>"                           call it
  braid compare hf/smollm2 acme/new-task "abc =>"                 call several, side by side
  braid export acme/new-task --format gguf --out new-task.gguf    take it to llama.cpp

Every command takes --json. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.`;

export function createProgram(context: CliContext, version: string): Command {
  const program = new Command('braid')
    .description('Publish, search, compose and serve LoRA adapters on your own hub.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    // So that `--version` after a command is the command's own.
    .enablePositionalOptions()
    .configureHelp({ helpWidth: Math.min(context.terminal.columns, 110) })
    .configureOutput({
      writeOut: (text) => context.terminal.out.write(text),
      writeErr: (text) => context.terminal.err.write(text),
      // main.ts writes the one line of every error.
      outputError: () => undefined,
    })
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  for (const register of [
    registerServe,
    registerPlan,
    registerModels,
    registerPublish,
    registerExtract,
    registerImport,
    registerSearch,
    registerCompose,
    registerRecompose,
    registerEval,
    registerJobs,
    registerList,
    registerShow,
    registerInspect,
    registerDiff,
    registerWorker,
    registerTop,
    registerReport,
    registerExport,
    registerComplete,
    registerCompare,
  ]) {
    register(program, context);
  }
  addSharedOptions(program);
  return program;
}

/** `--url` and `--json` may stand before or after the command's name. */
function addSharedOptions(command: Command): void {
  command
    .option('--url <url>', `the hub to talk to (default: BRAID_URL or ${DEFAULT_URL})`)
    .option('--json', 'print the result as one JSON document');
  for (const child of command.commands) addSharedOptions(child);
}

/** The words of the command that `args` name, such as `braid models add`; for pointing to its help. */
export function commandPath(program: Command, args: readonly string[]): string {
  let path = program.name();
  let commands = program.commands;
  for (const word of args) {
    const found = commands.find((command) => command.name() === word);
    if (found === undefined) continue;
    path += ` ${found.name()}`;
    commands = found.commands;
  }
  return path;
}
