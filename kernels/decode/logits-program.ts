// A causal language model as one plain graph from tokens to logits, for whoever runs ONNX: no cache, no loop, no adapters.
import { encodeModel } from '../graph/encode-model.js';
import type { Graph } from '../graph/graph.js';
import type { Value } from '../graph/values.js';
import type { CausalModel } from './step-program.js';

/**
 * Semantics: `next_token_logits[i, j]` says which token follows `input_ids[i, ..j]`; places behind a row's end do not reach those before it, so
 * rows of several lengths are padded at the right, with any token.
 * Inputs: input_ids [batch, sequence] int64.
 * Output: next_token_logits [batch, sequence, V] float32.
 * @throws GraphError if the graph is not sound
 */
export function encodeLogitsProgram(graph: Graph, model: CausalModel, vocabularySize: number): Uint8Array {
  const ids = graph.input('input_ids', 'int64', ['batch', 'sequence']);
  const batch = graph.dimOf(ids, 0, 'batchLength');
  const width = graph.dimOf(ids, 1, 'sequenceLength');
  const flat = graph.flattenRows(graph.unsqueeze(ids, 2, 'idColumns'), 'idColumn');
  const count = graph.squeeze(graph.dimOf(flat, 0, 'placeCount'), 0, 'placeCountScalar');
  const wanted = graph.range(count, flat.shape[0] ?? 0, 'place');
  // Every place is a token of its own.
  const places = graph.reshapeUnchecked(wanted, graph.shapeOf(ids, 'idsShape'), ids.shape, 'places');
  const widthScalar = graph.squeeze(graph.cast(width, 'int32', 'width'), 0, 'widthScalar');
  const fedLengths = graph.expand(widthScalar, batch, ['batch'], 'fedLengths');
  const { hidden } = model.runBlocks(graph, {
    ids,
    wanted,
    packing: { uniquePlaces: places, tokenOfPlace: places },
    rows: {
      // Nothing was there before.
      pastLengths: graph.subtract(fedLengths, widthScalar, 'pastLengths'),
      fedLengths,
      width,
      timeDim: 'sequence',
      totalLength: widthScalar,
    },
    past: createEmptyCaches(graph, model, batch),
    presentDim: 'present',
  });
  const rows = model.computeLogits(graph, hidden, () => {
    throw new Error('a program without adapters asked for them');
  });
  const shape = graph.concat([graph.shapeOf(ids, 'logitsPlaces'), graph.constant('int64', [vocabularySize])], 0, 'logitsShape');
  const logits = graph.reshapeUnchecked(rows, shape, [...ids.shape, vocabularySize], 'next_token_logits');
  return encodeModel(graph.build([logits]));
}

function createEmptyCaches(graph: Graph, { layers, kvHeads, headDim }: CausalModel, batch: Value<'int64'>) {
  const shape = graph.concat([batch, graph.constant('int64', [kvHeads, 1, headDim])], 0, 'cacheShape');
  const one = graph.expand(graph.constant('float32', [0], []), shape, ['batch', kvHeads, 1, headDim], 'cacheOfOne');
  const nothing = graph.constant('int64', [0]);
  const empty = graph.slice(one, 2, nothing, nothing, 'past', 'emptyCache');
  return Array.from({ length: layers }, () => ({ key: empty, value: empty }));
}
