// Which adapters lie in the worker's pages: loads them on demand, pins what requests use and what is always to stay, and gives up the least
// recently used within a budget.
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import { BraidError } from '#src/http/braid-error.js';
import type { Digest } from '#src/ids/ids.js';
import { countAdapterPages, placeGains, sizeOfPages, type ModuleTable, type PageCounts } from './adapter-fit.js';
import type { AdapterStats } from './engine-stats.js';
import { fail } from './runtime.errors.js';
import type { WeightedAdapter } from './engine.js';
import { FactorSource } from './factor-source.js';
import type { AdapterSource } from './sources.js';
import type { AdapterPlace, LoadCall } from './worker/protocol.js';

interface Resident extends AdapterPlace {
  readonly bytes: number;
  /** Made of others, for weights that may never come again. */
  readonly isCombined: boolean;
  pins: number;
  lastUse: number;
}

interface ReadAdapter {
  readonly adapter: CanonicalAdapter;
  readonly counts: PageCounts;
}

/** Adapters held in place for one request. */
export interface Hold {
  readonly places: ReadonlyMap<Digest, AdapterPlace>;
  /** Lets go; safe to call again. */
  release(): void;
}

/** Adapters that stay whether requests use them or not. */
export interface PinnedAdapters {
  readonly digests: readonly Digest[];
  /** Hears of one that cannot be loaded; the others stay. */
  readonly warn: (digest: Digest, error: unknown) => void;
}

export interface ResidencyOptions {
  readonly source: AdapterSource;
  readonly table: ModuleTable;
  readonly budgetBytes: number;
  /** @default none */
  readonly pinned?: PinnedAdapters;
  /** Sends the adapter to the worker; what is sent later finds it in its pages. */
  readonly load: (call: LoadCall) => void;
}

/** Parts of the adapters that are compositions in factor space, by digest. */
type FactorParts = ReadonlyMap<Digest, readonly WeightedAdapter[]>;

// Searching in factor space makes an adapter for every weight vector; all of them together get this share of the memory, so that they push out each other first.
const COMBINED_SHARE = 0.25;

// Reading and checking is the object store's time, not ours; a few at once hide its latency without holding many adapters in memory.
const CONCURRENT_READS = 4;

export class AdapterResidency {
  private readonly residents = new Map<Digest, Resident>();
  private readonly reads = new Map<Digest, Promise<ReadAdapter>>();
  /** Known from the first load on: digests are immutable. */
  private readonly sizes = new Map<Digest, PageCounts>();
  private readonly freePages = new Map<LinearClass, number[]>();
  private readonly nextPage = new Map<LinearClass, number>();
  private usedBytes = 0;
  private clock = 0;
  private epoch = 0;
  /** Requests take memory one after another, so that two that each hold half of it never wait for each other. */
  private turn: Promise<unknown> = Promise.resolve();
  private readonly waiters = new Set<() => void>();

  private combinedBytes = 0;
  private loads = 0;
  private evictions = 0;
  private readonly factorSource: FactorSource;
  /** In place until the worker is lost. */
  private readonly kept = new Set<Digest>();
  private keptEpoch: number | undefined;
  private keptBytes = 0;

  constructor(private readonly options: ResidencyOptions) {
    this.factorSource = new FactorSource((digest) => options.source.load(digest));
  }

  /** Bytes of pages in use. */
  get residentBytes(): number {
    return this.usedBytes;
  }

  get stats(): AdapterStats {
    let pages = 0;
    for (const resident of this.residents.values()) for (const numbers of resident.pages.values()) pages += numbers.length;
    const { residents, usedBytes, loads, evictions, options } = this;
    return { resident: residents.size, pages, bytes: usedBytes, limitBytes: options.budgetBytes, loads, evictions };
  }

  /**
   * Brings the adapters into pages and pins them until the hold is released.
   * Waits its turn, first come first served, until pinned memory is free.
   * @throws BraidError ADAPTER_MEMORY_EXCEEDED, ADAPTER_MISFIT, ADAPTER_UNREADABLE, FACTORS_DIFFER, PINNED_ADAPTERS_TOO_LARGE, WORKER_CRASHED, or the
   *   source's own
   */
  async acquire(digests: readonly Digest[], signal?: AbortSignal, factors: FactorParts = new Map()): Promise<Hold> {
    const held = this.pinResidents(digests);
    if (held !== undefined) return held;
    return this.inTurn(async () => {
      await this.keepPinnedInTurn();
      return this.acquireInTurn([...new Set(digests)], signal, factors);
    });
  }

  /**
   * Brings in the adapters that are always to stay. Requests do that by themselves; called ahead, it says at once whether they fit.
   * @throws BraidError PINNED_ADAPTERS_TOO_LARGE, WORKER_CRASHED
   */
  async keepPinned(): Promise<void> {
    await this.inTurn(() => this.keepPinnedInTurn());
  }

  /** Forgets everything: the worker that held the pages is gone. Holds from before release nothing. */
  clear(): void {
    this.epoch++;
    this.residents.clear();
    this.freePages.clear();
    this.nextPage.clear();
    this.usedBytes = 0;
    this.combinedBytes = 0;
    this.kept.clear();
    this.keptBytes = 0;
    this.wake();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** Everything in turn comes behind this, so nobody's adapters stand in the way of those that stay, also after a crash. */
  private async keepPinnedInTurn(): Promise<void> {
    const epoch = this.epoch;
    if (this.keptEpoch === epoch) return;
    for (const digest of this.options.pinned?.digests ?? []) {
      if (this.kept.has(digest)) continue;
      try {
        await this.acquireInTurn([digest], undefined, new Map());
      } catch (error) {
        this.assertEpoch(epoch);
        if (error instanceof BraidError && error.code === 'ADAPTER_MEMORY_EXCEEDED') {
          throw fail('PINNED_ADAPTERS_TOO_LARGE', { needed: this.keptBytes + this.sizeOf(digest), limit: this.options.budgetBytes });
        }
        this.options.pinned?.warn(digest, error);
        continue;
      }
      this.assertEpoch(epoch);
      // Its hold is never released.
      this.kept.add(digest);
      this.keptBytes += this.sizeOf(digest);
    }
    this.keptEpoch = epoch;
  }

  private sizeOf(digest: Digest): number {
    return sizeOfPages(this.sizes.get(digest) ?? new Map(), this.options.table);
  }

  private async acquireInTurn(digests: readonly Digest[], signal: AbortSignal | undefined, factors: FactorParts): Promise<Hold> {
    const epoch = this.epoch;
    const pinned: Digest[] = [];
    try {
      for (const digest of digests) if (this.pin(digest)) pinned.push(digest);
      const missing = digests.filter((digest) => !pinned.includes(digest));
      const read = await this.readWithinBudget(digests, missing, factors);
      for (const digest of missing) {
        const { adapter, counts } = read.get(digest) ?? (await this.read(digest, factors));
        read.delete(digest);
        const bytes = sizeOfPages(counts, this.options.table);
        if (factors.has(digest)) this.makeRoomAmongCombined(bytes);
        await this.makeRoom(bytes, epoch, signal);
        this.assertEpoch(epoch);
        this.place(digest, adapter, counts, factors.has(digest));
        this.pin(digest);
        pinned.push(digest);
      }
      this.assertEpoch(epoch);
      return this.hold(digests, epoch);
    } catch (error) {
      if (epoch === this.epoch) for (const digest of pinned) this.unpin(digest);
      throw error;
    }
  }

  /** Reads what is missing, and refuses a request that can never fit before it pushes others out. */
  private async readWithinBudget(
    digests: readonly Digest[],
    missing: readonly Digest[],
    factors: FactorParts,
  ): Promise<Map<Digest, ReadAdapter>> {
    const read = new Map<Digest, ReadAdapter>();
    for (let first = 0; ; first += CONCURRENT_READS) {
      // What stays has its memory, and nobody else will ever get it.
      const needed = digests.reduce((bytes, digest) => bytes + (this.kept.has(digest) ? 0 : this.sizeOf(digest)), 0);
      const limit = this.options.budgetBytes - this.keptBytes;
      if (needed > limit) throw fail('ADAPTER_MEMORY_EXCEEDED', { needed, limit });
      if (first >= missing.length) return read;
      const some = missing.slice(first, first + CONCURRENT_READS);
      for (const [index, adapter] of (await Promise.all(some.map((digest) => this.read(digest, factors)))).entries()) {
        const digest = some[index];
        if (digest !== undefined) read.set(digest, adapter);
      }
    }
  }

  private pinResidents(digests: readonly Digest[]): Hold | undefined {
    // A request whose adapters are all here needs no turn, unless someone waits for memory: pinning more would keep it waiting.
    if (this.waiters.size > 0) return undefined;
    const unique = [...new Set(digests)];
    if (!unique.every((digest) => this.residents.has(digest))) return undefined;
    for (const digest of unique) this.pin(digest);
    return this.hold(unique, this.epoch);
  }

  private hold(digests: readonly Digest[], epoch: number): Hold {
    const places = new Map(
      digests.flatMap((digest) => {
        const resident = this.residents.get(digest);
        return resident === undefined ? [] : [[digest, { pages: resident.pages, gains: resident.gains }] as const];
      }),
    );
    let isHeld = true;
    return {
      places,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        if (epoch === this.epoch) for (const digest of digests) this.unpin(digest);
      },
    };
  }

  private async makeRoom(bytes: number, epoch: number, signal: AbortSignal | undefined): Promise<void> {
    while (this.usedBytes + bytes > this.options.budgetBytes) {
      if (signal?.aborted) throw fail('REQUEST_CANCELLED');
      if (this.evictOldest()) continue;
      await this.waitForRelease(signal);
      this.assertEpoch(epoch);
    }
  }

  private makeRoomAmongCombined(bytes: number): void {
    while (this.combinedBytes + bytes > COMBINED_SHARE * this.options.budgetBytes && this.evictOldest(({ isCombined }) => isCombined));
  }

  private evictOldest(matches: (resident: Resident) => boolean = () => true): boolean {
    let oldest: [Digest, Resident] | undefined;
    for (const entry of this.residents)
      if (entry[1].pins === 0 && matches(entry[1]) && (oldest === undefined || entry[1].lastUse < oldest[1].lastUse)) oldest = entry;
    if (oldest === undefined) return false;
    const [digest, { pages, bytes, isCombined }] = oldest;
    this.residents.delete(digest);
    this.evictions++;
    this.usedBytes -= bytes;
    if (isCombined) {
      this.combinedBytes -= bytes;
      // Others come back; this one hardly will.
      this.sizes.delete(digest);
    }
    for (const [linearClass, numbers] of pages) {
      const free = this.freePages.get(linearClass);
      if (free === undefined) this.freePages.set(linearClass, [...numbers]);
      else free.push(...numbers);
    }
    return true;
  }

  private place(digest: Digest, adapter: CanonicalAdapter, counts: PageCounts, isCombined: boolean): void {
    const bytes = sizeOfPages(counts, this.options.table);
    const pages = new Map<LinearClass, number[]>();
    for (const [linearClass, count] of counts)
      pages.set(
        linearClass,
        Array.from({ length: count }, () => this.takePage(linearClass)),
      );
    const gains = placeGains(adapter);
    this.residents.set(digest, { pages, gains, bytes, isCombined, pins: 0, lastUse: 0 });
    this.usedBytes += bytes;
    if (isCombined) this.combinedBytes += bytes;
    this.loads++;
    this.options.load({ pages, gains, adapter });
  }

  private takePage(linearClass: LinearClass): number {
    const free = this.freePages.get(linearClass)?.pop();
    if (free !== undefined) return free;
    // Page 0 stays zero.
    const next = this.nextPage.get(linearClass) ?? 1;
    this.nextPage.set(linearClass, next + 1);
    return next;
  }

  private read(digest: Digest, factors: FactorParts): Promise<ReadAdapter> {
    const running = this.reads.get(digest);
    if (running !== undefined) return running;
    const read = this.readUncached(digest, factors.get(digest)).finally(() => this.reads.delete(digest));
    this.reads.set(digest, read);
    return read;
  }

  private async readUncached(digest: Digest, factors: readonly WeightedAdapter[] | undefined): Promise<ReadAdapter> {
    let adapter: CanonicalAdapter;
    try {
      adapter = await (factors === undefined ? this.options.source.load(digest) : this.factorSource.combine(factors));
    } catch (error) {
      throw error instanceof BraidError ? error : fail('ADAPTER_UNREADABLE', { digest }, error);
    }
    const counts = countAdapterPages(digest, adapter, this.options.table);
    this.sizes.set(digest, counts);
    return { adapter, counts };
  }

  private pin(digest: Digest): boolean {
    const resident = this.residents.get(digest);
    if (resident === undefined) return false;
    resident.pins++;
    resident.lastUse = ++this.clock;
    return true;
  }

  private unpin(digest: Digest): void {
    const resident = this.residents.get(digest);
    if (resident === undefined) return;
    resident.pins--;
    if (resident.pins === 0) this.wake();
  }

  private waitForRelease(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiters.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.waiters.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  private wake(): void {
    for (const wake of [...this.waiters]) wake();
  }

  private assertEpoch(epoch: number): void {
    if (epoch !== this.epoch) throw fail('WORKER_CRASHED', { found: 'while its adapters were being loaded' });
  }
}
