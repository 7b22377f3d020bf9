// How adapters reach a model's linear modules: as rows beside the weights, merged into them, or not at all.
import type { AdapterNumbers, Precision, StepMode } from '../decode/step-program.js';
import type { FloatType } from '../graph/dtypes.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';
import { declareFactors, declareGainScale, declareScale, type AdapterFactorInputs } from '../lora/adapter-inputs.js';
import { addEmbeddingDelta, createLowRankRows, mergeDelta, type LowRankRows } from '../lora/low-rank-delta.js';
import type { LinearClass, LinearModule } from '../lora/modules.js';
import { createQuantizedRows } from '../lora/quantized-delta.js';
import { createRowGain, mergeGain } from '../lora/row-gain.js';
import { createBlockFactor, hasWholeBlocks } from '../nn/block-linear.js';
import type { Linear } from '../nn/linear.js';
import type { ProviderKernels } from '../nn/provider-kernels.js';
import { createQuantizedFactor, type RightBytes } from '../nn/quantized-linear.js';
import { createRightFactor } from '../nn/right-factor.js';
import { toFloat, type StoredTensor } from './tensor-index.js';

export interface ProgramPlan {
  readonly mode: StepMode;
  readonly precision: Precision;
  readonly adapters: AdapterNumbers;
  /** What the linears compute in, and attention: of weights, adapters and caches. */
  readonly type: FloatType;
  readonly bytes: RightBytes;
  readonly classes: readonly LinearClass[];
  readonly gained: readonly LinearClass[];
  readonly contextLength: number;
  readonly kernels: ProviderKernels;
}

export interface AdapterLayer {
  /** A module's weight as it is adapted: not at all, by rows beside it, or merged into it. */
  linear(weight: FloatValue, module: LinearModule): Linear;
  /** The same for the output layer, whose adapters stay in float32. */
  output(weight: FloatValue, module: LinearModule): Linear & { readonly rows?: LowRankRows };
  /** The lookup of ids [b, t] in a weight that lies as [dIn, dOut], adapted in the same ways: [b, t, dOut]. */
  embedding(weight: StoredTensor, module: LinearModule): (body: Graph, ids: Value<'int64'>) => FloatValue;
}

/** Declares the classes' scales once, and the factors of each module that they reach. */
export function createAdapterLayer(
  graph: Graph,
  { mode, precision, adapters, type, bytes, classes, gained, kernels: { product } }: ProgramPlan,
): AdapterLayer {
  const rows = mode === 'merged' ? 1 : 'c';
  /** What is fed is float32, whatever the program computes in; cast here, outside the loop, once per run. */
  const narrow = (fed: FloatValue): FloatValue => graph.toFloat(fed, type, `${fed.name}.${type}`);
  const declareNarrow = (module: LinearModule): AdapterFactorInputs => {
    const { a, b } = declareFactors(graph, module, rows);
    return { a: narrow(a), b: narrow(b) };
  };
  /** [rows, R] as they are fed; beside the weights [rows, 1, R]. */
  const declared = (declare: typeof declareScale, targets: readonly LinearClass[]): Map<LinearClass, FloatValue> =>
    new Map(
      targets.map((target) => {
        const scale = narrow(declare(graph, target, rows));
        return [target, mode === 'factored' ? graph.unsqueeze(scale, 1, `${scale.name}.column`) : scale];
      }),
    );
  const scales = declared(declareScale, classes);
  const gainScales = declared(declareGainScale, gained);
  const nameOf = (module: LinearModule): string => `lora.${module.layer}.${module.class}`;
  // The output layer is read as much as several others and chooses among thousands of tokens: 4 bits are too coarse for it.
  const isInBytes = (module: LinearModule): boolean => precision === 'int8' || (precision === 'int4' && module.class === 'lm_head');
  const isInBlocks = ({ dIn }: LinearModule): boolean => precision === 'int4' && hasWholeBlocks(dIn);
  const createFactor = (weight: FloatValue, module: LinearModule): Linear['weight'] =>
    isInBytes(module)
      ? createQuantizedFactor(graph, weight, bytes, module.path)
      : isInBlocks(module)
        ? createBlockFactor(graph, weight, module.path)
        : createRightFactor(graph, weight, product);
  const createGain = (factors: AdapterFactorInputs, module: LinearModule): { gain?: FloatValue } => {
    const scale = gainScales.get(module.class);
    return scale === undefined ? {} : { gain: createRowGain(graph, factors, scale, nameOf(module)) };
  };
  /** diag(1 + gain)·W + ΔW; `turned` where W and ΔW lie as the embedding does. */
  const merge = (
    weight: FloatValue,
    factors: AdapterFactorInputs,
    scale: FloatValue,
    module: LinearModule,
    lies: 'straight' | 'turned',
  ) => {
    const gainScale = gainScales.get(module.class);
    const own = gainScale === undefined ? weight : mergeGain(graph, weight, factors, gainScale, lies, nameOf(module));
    return mergeDelta(graph, own, lies === 'turned' ? { a: factors.b, b: factors.a } : factors, scale, nameOf(module));
  };
  const adapt = <Rows>(
    weight: FloatValue,
    module: LinearModule,
    createRows: (factors: AdapterFactorInputs, scale: FloatValue) => Rows,
  ): { weight: Linear['weight']; gain?: FloatValue; rows?: Rows } => {
    const scale = scales.get(module.class);
    if (!scale) return { weight: createFactor(weight, module) };
    const factors = declareNarrow(module);
    if (mode === 'merged') return { weight: createFactor(merge(weight, factors, scale, module, 'straight'), module) };
    return { weight: createFactor(weight, module), ...createGain(factors, module), rows: createRows(factors, scale) };
  };
  const createFloatRows = (factors: AdapterFactorInputs, scale: FloatValue): LowRankRows =>
    createLowRankRows(graph, factors, scale, product);
  return {
    linear: (weight, module) =>
      adapters === 'bytes'
        ? adapt(weight, module, (factors, scale) => createQuantizedRows(graph, factors, scale, bytes, nameOf(module)))
        : adapt(weight, module, createFloatRows),
    output: (weight, module) => adapt(weight, module, createFloatRows),
    embedding: (weight, module) => {
      const lookUp = (body: Graph, ids: Value<'int64'>): FloatValue =>
        body.toFloat(body.gather(weight, ids, 0, 'embeddedRows'), type, 'embedded');
      const scale = scales.get(module.class);
      if (!scale) return lookUp;
      const factors = declareNarrow(module);
      if (mode === 'merged') {
        const merged = merge(toFloat(graph, weight, type, `${nameOf(module)}.weight`), factors, scale, module, 'turned');
        return (body, ids) => body.gather(merged, ids, 0, 'embedded');
      }
      const lowRank = createFloatRows(factors, scale);
      const { gain } = createGain(factors, module);
      return (body, ids) => {
        const embedded = lookUp(body, ids);
        return addEmbeddingDelta(body, ids, gain ? body.multiply(embedded, gain, 'embedded.gained') : embedded, lowRank, 'embedded.lora');
      };
    },
  };
}
