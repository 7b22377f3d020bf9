// Log-probabilities of given tokens under logits: what scoring returns and generation reports.
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';

/**
 * logits[i, tokens[i]] − ln Σ exp logits[i].
 *
 * Inputs: logits [m, V], tokens [m] int64. Output: [m]. Numerics: fp32, the sum is taken after subtracting the largest logit.
 */
export function tokenLogLikelihood(
  graph: Graph,
  logits: FloatValue,
  logNormalizer: FloatValue,
  tokens: Value<'int64'>,
  name: string,
): FloatValue {
  const column = graph.unsqueeze(tokens, 1, `${name}.column`);
  const chosen = graph.squeeze(graph.gatherElements(logits, column, `${name}.logitColumn`), 1, `${name}.logit`);
  return graph.subtract(chosen, logNormalizer, name);
}

/** ln Σ exp over the vocabulary: [m, V] → [m]. */
export function logNormalizer(graph: Graph, logits: FloatValue, name: string): FloatValue {
  return graph.reduceLogSumExp(logits, -1, name);
}
