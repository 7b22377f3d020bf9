// Ctrl-C and SIGTERM: by default they end the process with the shell's status for them; a command that has something to wind up takes them over.
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
export type InterruptSignal = (typeof SIGNALS)[number];
type Handler = (signal: InterruptSignal) => void;

export class Interrupts {
  private readonly handlers: Handler[] = [];
  private readonly listener = (signal: NodeJS.Signals): void => {
    const handler = this.handlers.at(-1);
    if (handler === undefined) process.exit(128 + constants.signals[signal]);
    handler(signal as InterruptSignal);
  };

  /** Starts to listen; `close` gives the signals back. */
  open(): void {
    for (const signal of SIGNALS) process.on(signal, this.listener);
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.listener);
  }

  /** While `work` runs, an interrupt calls `handler` instead. */
  async during<T>(handler: Handler, work: () => Promise<T>): Promise<T> {
    this.handlers.push(handler);
    try {
      return await work();
    } finally {
      this.handlers.splice(this.handlers.lastIndexOf(handler), 1);
    }
  }
}
