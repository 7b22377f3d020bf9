// Attention of each layer of a decoder within a step: layers that attend alike share what is prepared.
import { pack, spread } from '../decode/packing.js';
import type { StepInputs } from '../decode/step-program.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import { createAttention, type Attend } from '../nn/attention.js';
import type { ProviderKernels } from '../nn/provider-kernels.js';
import type { RopeCaches } from '../nn/rope.js';
import type { DecoderConfig } from './decoder-config.js';

/** Layer by layer: query, key and value of the step's tokens [c, u] go to their places, what attention makes of them comes back. */
export function createLayerAttention(
  graph: Graph,
  kernels: ProviderKernels,
  config: DecoderConfig,
  ropes: readonly RopeCaches[],
  { packing, rows, presentDim }: StepInputs,
): Attend[] {
  const kinds = new Map<string, Attend>();
  const prepare = (rope: number, window: number | undefined): Attend => {
    const caches = ropes[rope];
    if (!caches) throw new Error(`there is no rope ${rope}`);
    const kind = { rope: caches, ...(window === undefined ? {} : { window }) };
    return createAttention(graph, kernels, config, kind, rows, presentDim, kinds.size === 0 ? 'rows' : `rows.${kinds.size}`);
  };
  return config.attention.map(({ rope, window }): Attend => {
    const key = `${rope}, ${window}`;
    const attendRows = kinds.get(key) ?? prepare(rope, window);
    kinds.set(key, attendRows);
    return ({ query, key: keys, value }, cache, name) => {
      const place = (projected: FloatValue, which: string): FloatValue => spread(graph, projected, packing, `${name}.${which}`);
      const placed = { query: place(query, 'query'), key: place(keys, 'key'), value: place(value, 'value') };
      const { context, present } = attendRows(placed, cache, name);
      return { context: pack(graph, context, packing, `${name}.tokenContext`), present };
    };
  });
}
