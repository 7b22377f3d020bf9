// Waits for a hub in this process to be stopped by Ctrl-C or SIGTERM, after Nest has wound it down.
import { once } from 'node:events';
import { type Server } from 'node:http';
import { EXIT } from './cli-error.js';
import { type Interrupts } from './interrupts.js';

/**
 * Resolves when the hub is down. Nest winds it down on SIGINT and SIGTERM and then sends the process the same signal once more:
 * that one ends the wait. An impatient second signal before that ends the process at once.
 * @param onStopping called at the first signal
 */
export async function untilStopped(server: Server, interrupts: Interrupts, onStopping: () => void): Promise<void> {
  let signals = 0;
  let serverClosed = false;
  void once(server, 'close').then(() => (serverClosed = true));
  // Nothing else may keep the process alive between the closing of the hub and that signal.
  const alive = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve, reject) => {
    const onSignal = (): void => {
      signals++;
      if (signals === 1) onStopping();
      else if (serverClosed) resolve();
      else process.exit(EXIT.interrupted);
    };
    interrupts.during(onSignal, () => new Promise<never>(() => undefined)).catch(reject);
  });
  clearInterval(alive);
}
