// The braid command in this process, against a hub: what it prints and how it ends.
import { Interrupts } from '#src/cli/interrupts.js';
import { runCommandLine } from '#src/cli/main.js';
import { createTerminal } from '#src/cli/terminal.js';

export async function runBraid(url: string, args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = createTerminal({ write: (text: string) => (out += text) }, { write: (text: string) => (err += text) }, {});
  const status = await runCommandLine([...args], { BRAID_URL: url }, terminal, new Interrupts());
  return { status, out, err };
}
