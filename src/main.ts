// The process: environment in, hub out.
import { ConfigurationError, parseConfiguration } from './config/configuration.js';
import { createHub } from './start-hub.js';

try {
  // eslint-disable-next-line no-restricted-properties -- the one place where the hub's environment is read
  await createHub(parseConfiguration(process.env));
} catch (error) {
  const message = error instanceof ConfigurationError || !(error instanceof Error) ? String(error) : (error.stack ?? error.message);
  process.stderr.write(`${message}\n`);
  // What the start has opened so far would keep the process.
  process.exit(1);
}
