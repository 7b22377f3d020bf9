// Rotary position embedding (Su et al. 2021, arXiv:2104.09864): the cosine and sine tables that attention rotates with.
import type { FloatType } from '../graph/dtypes.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import { computeFrequencies, type Rope } from './rope-frequencies.js';

export interface RopeCaches {
  /** [positions, dim/2] */
  readonly cos: FloatValue;
  readonly sin: FloatValue;
}

/**
 * cos and sin of position·frequency, times YaRN's magnitude where there is one.
 *
 * The tables are computed in the graph from constants, so a session folds them when it loads and the model's bytes stay small. Angles are
 * rounded to fp32 before the cosine, as PyTorch's are; only the finished tables are cast to `type`, that of the heads they turn.
 */
export function createRopeCaches(graph: Graph, rope: Rope, positions: number, name: string, type: FloatType = 'float32'): RopeCaches {
  const frequencies = Float32Array.from(computeFrequencies(rope));
  const inverseFrequencies = graph.table(`${name}.inverseFrequencies`, frequencies, [1, frequencies.length]);
  const index = graph.range(graph.constant('int64', [positions], []), positions, `${name}.positions`);
  const column = graph.unsqueeze(graph.cast(index, 'float32', `${name}.positionValues`), 1, `${name}.positionColumn`);
  const angles = graph.multiply(column, inverseFrequencies, `${name}.angles`);
  const [cos, sin] = [graph.cos(angles, `${name}.cos`), graph.sin(angles, `${name}.sin`)];
  const magnitude = rope.scaling?.type === 'yarn' ? rope.scaling.magnitude : 1;
  const scale = (table: FloatValue, which: string): FloatValue =>
    magnitude === 1 ? table : graph.multiply(table, graph.constant('float32', [magnitude], []), `${name}.scaled${which}`);
  const finish = (table: FloatValue, which: string): FloatValue => graph.toFloat(scale(table, which), type, `${name}.${type}${which}`);
  return { cos: finish(cos, 'Cos'), sin: finish(sin, 'Sin') };
}
