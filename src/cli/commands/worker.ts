// `braid worker`: runs composition jobs of the hubs on a database, without serving anything itself.
import { Option, type Command } from 'commander';
import { asCliError, CliError, EXIT } from '../cli-error.js';
import { Invocation, type CliContext } from '../invocation.js';

interface WorkerOptions {
  readonly databaseUrl?: string;
  readonly data?: string;
  readonly provider?: string;
}

export function registerWorker(program: Command, context: CliContext): void {
  program
    .command('worker')
    .summary('help the hubs on a database with their composition jobs')
    .description(
      'Run composition jobs, and evaluate for those that run elsewhere, until Ctrl-C. A worker shares database and object store with the hubs (DATABASE_URL, S3_ENDPOINT, .env.example lists every variable) and finds the base models in the same folders as they do.',
    )
    .option('--database-url <url>', 'the PostgreSQL of the hubs (default: DATABASE_URL, which other users of the machine cannot see)')
    .option('--data <dir>', 'folder of the objects, where they are no S3 (default: BRAID_DATA or ./data)')
    .addOption(new Option('--provider <name>', 'where models compute (default: BRAID_PROVIDER or cpu)').choices(['cpu', 'webgpu', 'cuda']))
    .action(async (options: WorkerOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const [{ ConfigurationError, parseConfiguration }, { createWorker }] = await Promise.all([
        import('#src/config/configuration.js'),
        import('#src/start-worker.js'),
      ]);
      try {
        const configuration = parseConfiguration({
          ...context.env,
          ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
          ...(options.data === undefined ? {} : { BRAID_DATA: options.data }),
          ...(options.provider === undefined ? {} : { BRAID_PROVIDER: options.provider }),
        });
        if (configuration.databaseUrl === undefined) {
          throw new CliError(
            'DATABASE_NOT_SHARED',
            'A worker shares a PostgreSQL with the hubs: name it with DATABASE_URL or --database-url. The embedded database belongs to one process.',
            EXIT.usage,
          );
        }
        const app = await createWorker(configuration);
        invocation.note('The worker is ready. Ctrl-C stops it.');
        await untilInterrupted(context, () => invocation.note('Stopping: work goes back to the queue …'));
        await app.close();
      } catch (error) {
        if (error instanceof ConfigurationError)
          throw new CliError('INVALID_CONFIGURATION', `${error.message}.`, EXIT.usage, { cause: error });
        throw asCliError(error);
      }
    });
}

/** Resolves at the first interrupt; the second ends the process at once. */
function untilInterrupted({ interrupts }: CliContext, onStopping: () => void): Promise<void> {
  // Nothing else may keep the process alive while there is no work.
  const alive = setInterval(() => undefined, 60_000);
  return new Promise((resolve, reject) => {
    let isStopping = false;
    const onSignal = (): void => {
      if (isStopping) process.exit(EXIT.interrupted);
      isStopping = true;
      clearInterval(alive);
      onStopping();
      resolve();
    };
    interrupts.during(onSignal, () => new Promise<never>(() => undefined)).catch(reject);
  });
}
