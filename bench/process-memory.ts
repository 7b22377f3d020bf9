// How much memory a process takes, as Linux says.
import { readFileSync } from 'node:fs';

/** Resident bytes; undefined where there is no such process, or one that has ended. */
export function residentBytesOf(pid: number): number | undefined {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
