// Keeps a process that exits from ending its workers inside native code, which would abort it: both sides share one flag each.

const RUNNING = 0;
const SHUT = 1;
// Longer than a run on any model that is bearable to serve; after it the exit goes on, at its own risk.
const MAX_WAIT_MS = 15_000;

/** One worker's gate: the worker passes through it with every message, the process shuts it when it exits. */
export class RunGate {
  private static readonly openGates = new Set<RunGate>();
  private static isListening = false;
  private readonly flags: Int32Array;

  /** @param memory shared with the other side; new when this is the first */
  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.flags = new Int32Array(memory);
  }

  /** Worker: does the work unless the gate is shut. */
  async pass(work: () => Promise<void>): Promise<void> {
    Atomics.store(this.flags, RUNNING, 1);
    try {
      // Announced first and looked up second; the other side does it the other way round, so that one of them sees the other.
      if (Atomics.load(this.flags, SHUT) === 0) await work();
    } finally {
      Atomics.store(this.flags, RUNNING, 0);
      Atomics.notify(this.flags, RUNNING);
    }
  }

  /** Process: shuts the gate when the process exits, until `release`. */
  guard(): void {
    RunGate.openGates.add(this);
    if (RunGate.isListening) return;
    RunGate.isListening = true;
    process.on('exit', () => {
      for (const gate of RunGate.openGates) Atomics.store(gate.flags, SHUT, 1);
      for (const gate of RunGate.openGates) Atomics.wait(gate.flags, RUNNING, 1, MAX_WAIT_MS);
    });
  }

  /** Process: the thread has ended. */
  release(): void {
    RunGate.openGates.delete(this);
  }
}
