// Rows of a batch that begin alike, or end early, need fewer tokens than they have places: each token is computed once, and rows meet in attention.
import type { Graph } from '../graph/graph.js';
import { getDim, multiplyDims } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';

/**
 * Which tokens are computed, and where they stand. Everything but attention works token by token, so tokens that follow the same beginning
 * under the same composition are one. Places without a token, beyond a row's end, may name any.
 *
 *   places [b, t] ──uniquePlaces──► tokens [c, u] ──tokenOfPlace──► query, key, value [b, t] ─ attention ──uniquePlaces──► tokens [c, u]
 */
export interface Packing {
  /** [c, u]: a place (row·t + column) of each token; the tokens of one line are under one composition. */
  readonly uniquePlaces: Value<'int64'>;
  /** [b, t]: the token (line·u + column) at each place. */
  readonly tokenOfPlace: Value<'int64'>;
}

/** ids [b, t] → the tokens' [c, u]. */
export function packIds(graph: Graph, ids: Value<'int64'>, { uniquePlaces }: Packing): Value<'int64'> {
  const flat = graph.reshape(ids, [multiplyDims(...ids.shape)], 'flatIds');
  return graph.gather(flat, uniquePlaces, 0, 'uniqueIds');
}

/** Values of tokens [c, u, d] at the places where they stand: [b, t, d]. */
export function spread(graph: Graph, value: FloatValue, { tokenOfPlace }: Packing, name: string): FloatValue {
  return graph.gather(graph.flattenRows(value, `${name}.tokens`), tokenOfPlace, 0, name);
}

/** Values at places [b, t, d] of the tokens [c, u, d] that stand there. */
export function pack(graph: Graph, value: FloatValue, { uniquePlaces }: Packing, name: string): FloatValue {
  return graph.gather(graph.flattenRows(value, `${name}.places`), uniquePlaces, 0, name);
}

/** The line of the tokens at positions [m, 2] (row, column): [m, 1]. */
export function findCompositions(graph: Graph, positions: Value<'int64'>, { uniquePlaces, tokenOfPlace }: Packing): Value<'int64'> {
  const tokens = graph.gatherND(tokenOfPlace, positions, 'positionTokens');
  const lines = graph.divide(tokens, graph.dimOf(uniquePlaces, 1, 'lineWidth'), 'positionLines');
  return graph.reshape(lines, [getDim(lines.shape, 0), 1], 'positionCompositions');
}
