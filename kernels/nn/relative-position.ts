// T5's relative positions: a learned number per head and per bucket of distances (Raffel et al. 2020, arXiv:1910.10683, section 2.1).
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';

export interface RelativeBuckets {
  readonly buckets: number;
  /** From here on all distances are one. */
  readonly maxDistance: number;
  /** Whether tokens see those behind them too; else distances ahead count as 0. */
  readonly isBidirectional: boolean;
}

/**
 * The bucket of a distance key − query: half of them (of each direction's) for single distances, the others for ranges that grow as powers.
 * Numerics: as transformers computes it, in float32, so that distances on a border fall on the same side.
 */
export function bucketOf(distance: number, { buckets, maxDistance, isBidirectional }: RelativeBuckets): number {
  const perDirection = isBidirectional ? buckets / 2 : buckets;
  const first = isBidirectional && distance > 0 ? perDirection : 0;
  const far = isBidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(perDirection / 2);
  if (far < exact) return first + far;
  const share = Math.fround(Math.fround(Math.log(Math.fround(far / exact))) / Math.log(maxDistance / exact));
  return first + Math.min(perDirection - 1, exact + Math.trunc(Math.fround(share * (perDirection - exact))));
}

/** Biases of all distances below a reach: [2·reach − 1, heads], from −(reach − 1) on. */
export interface RelativeBias {
  readonly byDistance: FloatValue;
  readonly reach: number;
}

/** The bias of every distance from −(reach − 1) to reach − 1: table [buckets, heads]. Build it in the outer graph. */
export function createRelativeBias(graph: Graph, table: FloatValue, options: RelativeBuckets, reach: number, name: string): RelativeBias {
  const bucketOfDistance = Array.from({ length: 2 * reach - 1 }, (_, i) => bucketOf(i - (reach - 1), options));
  return { byDistance: graph.gather(table, graph.constant('int64', bucketOfDistance), 0, name), reach };
}

/**
 * What is added to the scores of queries and keys at positions of theirs.
 *
 * Inputs: query [.., q, 1] and key [k], int64 positions below the bias's reach.
 * Output: [.., heads, q, k].
 */
export function biasBetween(
  graph: Graph,
  { byDistance, reach }: RelativeBias,
  { query, key }: { readonly query: Value<'int64'>; readonly key: Value<'int64'> },
  name: string,
): FloatValue {
  const apart = graph.subtract(key, query, `${name}.apart`);
  const place = graph.add(apart, graph.constant('int64', [reach - 1]), `${name}.place`);
  const byPair = graph.gather(byDistance, place, 0, `${name}.byPair`);
  const last = byPair.shape.length - 1;
  const batch = byPair.shape.slice(0, -3).map((_, axis) => axis);
  return graph.transpose(byPair, [...batch, last, last - 2, last - 1], name);
}
