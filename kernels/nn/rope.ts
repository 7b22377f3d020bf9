// Rotary position embedding (Su et al. 2021, arXiv:2104.09864): the cosine and sine tables that attention rotates with.
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';

export interface RopeCaches {
  /** [positions, headDim/2] */
  readonly cos: FloatValue;
  readonly sin: FloatValue;
}

/**
 * cos and sin of position·θ^(−2i/headDim).
 *
 * The tables are computed in the graph from constants, so a session folds them when it loads and the model's bytes stay small. Angles are
 * rounded to fp32 before the cosine, as PyTorch's are.
 */
export function createRopeCaches(graph: Graph, options: { theta: number; headDim: number; positions: number }, name: string): RopeCaches {
  const { theta, headDim, positions } = options;
  const frequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  const inverseFrequencies = graph.table(`${name}.inverseFrequencies`, frequencies, [1, headDim / 2]);
  const index = graph.range(graph.constant('int64', [positions], []), positions, `${name}.positions`);
  const column = graph.unsqueeze(graph.cast(index, 'float32', `${name}.positionValues`), 1, `${name}.positionColumn`);
  const angles = graph.multiply(column, inverseFrequencies, `${name}.angles`);
  return { cos: graph.cos(angles, `${name}.cos`), sin: graph.sin(angles, `${name}.sin`) };
}
