// `braid serve`: the hub itself, in this process.
import { Option, type Command } from 'commander';
import { asCliError, CliError, EXIT } from '../cli-error.js';
import { Invocation, type CliContext } from '../invocation.js';
import { wholeNumber } from '../options.js';
import { type Environment } from '../terminal.js';
import { untilStopped } from '../until-stopped.js';

interface ServeOptions {
  readonly data?: string;
  readonly port?: number;
  readonly host?: string;
  readonly provider?: string;
  readonly precision?: string;
}

export function registerServe(program: Command, context: CliContext): void {
  program
    .command('serve')
    .summary('start a hub in this terminal')
    .description('Start a hub in this terminal; options win over the environment (.env.example lists every variable)')
    .option('--data <dir>', 'folder of the embedded database and objects (default: BRAID_DATA or ./data)')
    .option('--port <n>', 'port to listen on (default: BRAID_PORT or 8400)', wholeNumber(0, 65_535))
    .option('--host <address>', 'address to listen on (default: BRAID_HOST or 127.0.0.1)')
    .addOption(new Option('--provider <name>', 'where models compute (default: BRAID_PROVIDER or cpu)').choices(['cpu', 'webgpu', 'cuda']))
    .addOption(
      new Option('--precision <name>', 'what answers are generated in (default: BRAID_PRECISION or float32)').choices([
        'float32',
        'float16',
        'int8',
        'int4',
      ]),
    )
    .addHelpText('after', '\nExample:\n  braid serve --data ./data --port 8400')
    .action(async (options: ServeOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const environment = withOptions(context.env, options);
      // The hub's code is large: other commands must not wait for it.
      const [{ ConfigurationError, parseConfiguration }, { createHub }] = await Promise.all([
        import('#src/config/configuration.js'),
        import('#src/start-hub.js'),
      ]);
      try {
        const configuration = parseConfiguration(environment);
        const { app, url } = await createHub(configuration);
        if (invocation.json) invocation.terminal.out.write(`${JSON.stringify({ url })}\n`);
        invocation.note(`Braid is ready at ${url} (API: ${url}/api/docs, data: ${configuration.dataDir}). Ctrl-C stops it.`);
        await untilStopped(app.getHttpServer(), context.interrupts, () =>
          invocation.note('Stopping: requests under way are finished first …'),
        );
      } catch (error) {
        if (error instanceof ConfigurationError)
          throw new CliError('INVALID_CONFIGURATION', `${error.message}.`, EXIT.usage, { cause: error });
        throw portError(error) ?? asCliError(error);
      }
    });
}

function withOptions(env: Environment, options: ServeOptions): Environment {
  return {
    ...env,
    ...(options.data === undefined ? {} : { BRAID_DATA: options.data }),
    ...(options.port === undefined ? {} : { BRAID_PORT: String(options.port) }),
    ...(options.host === undefined ? {} : { BRAID_HOST: options.host }),
    ...(options.provider === undefined ? {} : { BRAID_PROVIDER: options.provider }),
    ...(options.precision === undefined ? {} : { BRAID_PRECISION: options.precision }),
  };
}

function portError(error: unknown): CliError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  switch (error.code) {
    case 'EADDRINUSE':
      return new CliError('PORT_IN_USE', 'Something listens on that port already: stop it, or choose another with --port.', EXIT.error, {
        cause: error,
      });
    case 'EACCES':
      return new CliError('PORT_REFUSED', 'This user may not listen there: choose a port from 1024 with --port.', EXIT.error, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
      return new CliError('HOST_NOT_HERE', 'This machine does not have that address: choose another with --host.', EXIT.error, {
        cause: error,
      });
    default:
      return undefined;
  }
}
