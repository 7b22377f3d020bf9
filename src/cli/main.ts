// Runs one command line: parses, executes, turns every failure into one line on standard error and an exit status.
import { CommanderError } from 'commander';
import { readPackageVersion } from '#src/config/package-version.js';
import { CliError, EXIT } from './cli-error.js';
import { HubError } from './hub-http.js';
import { Interrupts } from './interrupts.js';
import { commandPath, createProgram } from './program.js';
import { createTerminal, type Environment, type Terminal } from './terminal.js';

/** The process's entry: `args` without node and script; the status goes to `process.exitCode`. */
export async function main(args: readonly string[], env: Environment): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    // The reader went away (`braid list | head`): nothing is left to say.
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : EXIT.error));
  }
  const interrupts = new Interrupts();
  interrupts.open();
  try {
    process.exitCode = await runCommandLine(args, env, createTerminal(process.stdout, process.stderr, env), interrupts);
  } finally {
    interrupts.close();
  }
}

/** As `main`, on any terminal. Resolves to the exit status, never rejects. */
export async function runCommandLine(
  args: readonly string[],
  env: Environment,
  terminal: Terminal,
  interrupts: Interrupts,
): Promise<number> {
  const program = createProgram({ terminal, env, interrupts }, await readPackageVersion());
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const json = args.includes('--json');
    const failure = toCliError(error, commandPath(program, args));
    terminal.err.write(json ? renderErrorJson(failure) : renderErrorLine(failure, terminal));
    return failure.exitCode;
  }
}

function toCliError(error: unknown, command: string): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) {
    const said = error.message
      .replace(/^error: /, '')
      .replace(/\s*\n\s*/g, ' ')
      .replace(/\.$/, '');
    // Commander's answer to a bare `braid`: the help was written, nothing is left to say.
    const message = error.code === 'commander.help' ? 'Name a command' : said.charAt(0).toUpperCase() + said.slice(1);
    return new CliError('USAGE', `${message}. See "${command} --help".`, EXIT.usage);
  }
  const message = error instanceof Error ? error.message : String(error);
  return new CliError('INTERNAL', `${message} (a fault in braid itself)`, EXIT.error, { cause: error });
}

function renderErrorLine(error: CliError, terminal: Terminal): string {
  return `${terminal.errStyle.red('error')} ${terminal.errStyle.bold(error.code)}: ${error.message}\n`;
}

function renderErrorJson(error: CliError): string {
  const fields = error instanceof HubError ? { ...error.fields, status: error.status, retryable: error.retryable } : {};
  return `${JSON.stringify({ error: { code: error.code, message: error.message, ...fields } })}\n`;
}
