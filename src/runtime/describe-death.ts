// What can be said of a worker's end, for whoever waited for its answer.

export interface WorkerDeath {
  readonly exitCode?: number | null;
  readonly signal?: NodeJS.Signals | null;
  /** Why it could not be started or reached. */
  readonly cause?: Error;
}

const LAST_WORDS = "its last words are on the hub's standard error";

export function describeDeath({ exitCode, signal, cause }: WorkerDeath): string {
  if (cause !== undefined) return `it cannot be started: ${cause.message}`;
  switch (signal) {
    case null:
    case undefined:
      return `exit code ${exitCode ?? 'unknown'}: ${LAST_WORDS}`;
    case 'SIGKILL':
      return "signal SIGKILL: probably out of memory, which the kernel's log says";
    case 'SIGABRT':
    case 'SIGSEGV':
    case 'SIGBUS':
    case 'SIGILL':
    case 'SIGFPE':
      return `signal ${signal}: a fault in native code, or an allocation that failed; ${LAST_WORDS}`;
    default:
      return `signal ${signal}`;
  }
}
