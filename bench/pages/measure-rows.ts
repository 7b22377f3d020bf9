// What a decode row costs by the rank of its adapter, alone in memory and beside many others that it does not use.
import { answer, openPagesBed, type PagesBed } from './pages-bed.js';

export interface RowOptions {
  readonly modelDirectory: string;
  readonly ranks: readonly number[];
  /** Other adapters in memory, and their rank. */
  readonly others: number;
  readonly othersRank: number;
  readonly rounds: number;
}

export interface RowFigures {
  readonly rank: number;
  /** Milliseconds a token, a sample a round. */
  readonly aloneMs: readonly number[];
  readonly besideMs: readonly number[];
}

const STEPS = 64;

/** Rounds take every rank alone and beside the others in turn, so that what else the machine does meets all of them. */
export async function measureRows({ modelDirectory, ranks, others, othersRank, rounds }: RowOptions): Promise<RowFigures[]> {
  const largest = Math.max(...ranks);
  const memory = { count: ranks.length + others, rank: Math.max(largest, othersRank) };
  const beds: PagesBed[] = [];
  try {
    const alone = await openPagesBed(modelDirectory, memory);
    beds.push(alone);
    const beside = await openPagesBed(modelDirectory, memory);
    beds.push(beside);
    for (let other = 0; other < others; other++) await answer(beside.engine, beside.adapters.add(1000 + other, othersRank), 1);
    const figures = ranks.map((rank) => ({ rank, aloneMs: [] as number[], besideMs: [] as number[] }));
    for (let round = -1; round < rounds; round++) {
      for (const { rank, aloneMs, besideMs } of figures) {
        const measures = [
          { bed: alone, samples: aloneMs },
          { bed: beside, samples: besideMs },
        ];
        for (const { bed, samples } of round % 2 === 0 ? measures : measures.reverse()) {
          const ms = await measureToken(bed, rank);
          if (round >= 0) samples.push(ms);
        }
      }
    }
    if (beside.adapters.loads !== others + ranks.length) throw new Error('an adapter left the memory while rows were measured');
    return figures;
  } finally {
    for (const { engine } of beds) await engine.close();
  }
}

/** Milliseconds of a token behind the first, which reads the prompt. */
async function measureToken({ engine, adapters }: PagesBed, rank: number): Promise<number> {
  const digest = adapters.add(rank, rank);
  const timed = async (tokens: number): Promise<number> => {
    const start = performance.now();
    await answer(engine, digest, tokens);
    return performance.now() - start;
  };
  const first = await timed(1);
  return ((await timed(STEPS + 1)) - first) / STEPS;
}
