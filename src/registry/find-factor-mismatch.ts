// Which adapters have no common factor space, as far as their rows tell; patterns of ranks inside an adapter show when it is loaded.
import { type AdapterVersion } from './adapter-version.entity.js';

export interface FactorMismatchFound {
  /** As ns/name@version. */
  readonly first: string;
  readonly second: string;
  /** What differs, to follow the names of the two. */
  readonly reason: string;
}

type Shape = Pick<AdapterVersion, 'repository' | 'version' | 'rank' | 'useRslora' | 'peftType' | 'targetModules' | 'adapterConfig'>;

/** The first adapter that differs from the one before all; undefined when (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ) has a meaning. */
export function findFactorMismatch(versions: readonly Shape[]): FactorMismatchFound | undefined {
  const [first, ...others] = versions;
  if (first === undefined) return undefined;
  for (const second of others) {
    const reason = reasonOf(first, second);
    if (reason !== undefined) return { first: nameOf(first), second: nameOf(second), reason };
  }
  return undefined;
}

function reasonOf(a: Shape, b: Shape): string | undefined {
  const [kind, otherKind] = [kindOf(a), kindOf(b)];
  if (kind !== otherKind) return `are of kinds ${kind} and ${otherKind}`;
  // Of other kinds A and B are ours, not what was trained.
  if (kind !== 'LORA') return `are of kind ${kind}, which has no factor space`;
  if (a.rank !== b.rank) return `have ranks ${a.rank} and ${b.rank}`;
  if (a.useRslora !== b.useRslora) return `scale by ${scaleOf(a)} and by ${scaleOf(b)}`;
  const [targets, otherTargets] = [a.targetModules.join(', '), b.targetModules.join(', ')];
  return targets === otherTargets ? undefined : `target ${targets} and ${otherTargets}`;
}

function kindOf({ peftType, adapterConfig }: Shape): string {
  return adapterConfig['use_dora'] === true ? 'DoRA' : peftType;
}

function scaleOf({ useRslora }: Shape): string {
  return useRslora ? 'alpha/√r' : 'alpha/r';
}

function nameOf({ repository, version }: Shape): string {
  return `${repository.fullName}@${version}`;
}
