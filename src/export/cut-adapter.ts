// An adapter cut to a rank, module by module, and how far that is from it.
import { type CanonicalAdapter, type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { placeFactors } from '#kernels/lora/place-factors.js';
import { cutRank } from './cut-rank.js';

export interface RankCut {
  /** The rank asked for. */
  readonly rank: number;
  /** ‖ΔW − ΔW'‖ / ‖ΔW‖ over all modules together, in the Frobenius norm. */
  readonly error: number;
  readonly modules: readonly ModuleCut[];
}

export interface ModuleCut {
  /** Its path. */
  readonly module: string;
  readonly rankBefore: number;
  readonly rank: number;
  /** ‖ΔW − ΔW'‖ / ‖ΔW‖; 0 where ΔW is zero. */
  readonly error: number;
}

export interface CutAdapter {
  readonly adapter: CanonicalAdapter;
  readonly cut: RankCut;
}

/**
 * The nearest adapter of at most this rank. Takes up to seconds a module.
 * @param modules every linear module of the base
 */
export function cutAdapter(adapter: CanonicalAdapter, modules: readonly LinearModule[], rank: number): CutAdapter {
  const kept: CanonicalModule[] = [];
  const cuts: ModuleCut[] = [];
  let squaredNorm = 0;
  let squaredError = 0;
  for (const { module, factors } of placeFactors(adapter, modules)) {
    const cut = cutRank(factors, rank);
    kept.push(cut.module);
    squaredNorm += cut.squaredNorm;
    squaredError += cut.squaredError;
    cuts.push({
      module: module.path,
      rankBefore: factors.rank,
      rank: cut.module.rank,
      error: relativeError(cut.squaredError, cut.squaredNorm),
    });
  }
  return { adapter: { modules: kept }, cut: { rank, error: relativeError(squaredError, squaredNorm), modules: cuts } };
}

function relativeError(squaredError: number, squaredNorm: number): number {
  return squaredNorm === 0 ? 0 : Math.sqrt(squaredError / squaredNorm);
}
