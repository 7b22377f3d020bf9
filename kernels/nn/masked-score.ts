// The score of a place that attention must not see.
import type { FloatType } from '../graph/dtypes.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';

/** Far below any score, and finite, so that a row of nothing but masked places stays a number. */
const MASKED: Readonly<Record<FloatType, number>> = { float32: -1e30, float16: -60_000 };

/** Scores where they may be seen: isVisible broadcasts with scores [.., q, k]. */
export function maskScores(graph: Graph, scores: FloatValue, isVisible: Value<'bool'>, name: string): FloatValue {
  return graph.where(isVisible, scores, graph.constant(scores.dtype, [MASKED[scores.dtype]], []), name);
}
