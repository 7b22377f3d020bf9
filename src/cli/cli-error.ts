// An error that a command ends with: a stable code, what was found and what to do next, and the exit status.
import { BraidError } from '#src/http/braid-error.js';

export const EXIT = { error: 1, usage: 2, interrupted: 130 } as const;

export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: number = EXIT.error,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What work on this machine throws, as the command's own error; everything else as it is. */
export function asCliError(error: unknown): unknown {
  return error instanceof BraidError ? new CliError(error.code, error.message, EXIT.error, { cause: error }) : error;
}
