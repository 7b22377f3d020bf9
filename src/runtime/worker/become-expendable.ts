// How a worker stands to its hub: the hub alone decides when it ends, unless memory runs out, and then the worker goes first.
import { writeFileSync } from 'node:fs';

/** What a terminal or a service manager sends to every process of the hub, which winds down while its worker still computes. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** Of 1000: well before the hub, which can start another. */
const OOM_SCORE = '500';

export function becomeExpendable(): void {
  for (const signal of SIGNALS) process.on(signal, () => undefined);
  try {
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE);
  } catch {
    // Linux only; elsewhere the largest process goes, which a worker is anyway.
  }
}
