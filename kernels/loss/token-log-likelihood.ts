// Log-probabilities of given tokens under logits: what scoring returns and generation reports.
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';

/**
 * ln softmax(logits[i])[tokens[i]].
 *
 * Inputs: logProbabilities = ln softmax(logits) [m, V], tokens [m] int64. Output: [m].
 * Numerics: fp32, exponentials taken after subtracting the largest logit.
 */
export function tokenLogLikelihood(graph: Graph, logProbabilities: FloatValue, tokens: Value<'int64'>, name: string): FloatValue {
  const column = graph.unsqueeze(tokens, 1, `${name}.tokenColumn`);
  return graph.squeeze(graph.gatherElements(logProbabilities, column, `${name}.column`), 1, name);
}
