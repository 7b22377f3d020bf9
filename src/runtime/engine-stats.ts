// What an engine is doing, as it is read when someone looks: nothing is kept for it but a few counts.

export interface LaneStats {
  /** Rows that are being fed or generate. */
  readonly running: number;
  readonly waiting: number;
}

export interface EngineStats {
  /** What someone waits for; `waiting` counts scoring requests, and those whose adapters are being loaded, too. */
  readonly requests: LaneStats;
  /** Rows of searches, which give way. */
  readonly background: LaneStats;
  /** Key/value caches: what the rows that run may come to, as their admission counts it, and all that there is. */
  readonly cache: { readonly bytes: number; readonly limitBytes: number };
  readonly adapters: AdapterStats;
  /** Of the worker, since the engine was opened. */
  readonly runs: RunCounts;
  /** How often the worker has died. */
  readonly workerLosses: number;
}

export interface AdapterStats {
  readonly resident: number;
  readonly pages: number;
  readonly bytes: number;
  readonly limitBytes: number;
  /** Since the engine was opened. */
  readonly loads: number;
  /** Given up for others; not those that a worker's death took. */
  readonly evictions: number;
}

export interface RunCounts {
  readonly runs: number;
  /** Decode steps, or one for a run that scores. */
  readonly steps: number;
  /** Rows, summed over runs. */
  readonly rows: number;
}
