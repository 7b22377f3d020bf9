// Chooses each row's next token: forced, greedy or sampled, and pays only for what some row of the batch asks for.
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';

/** How rows want their tokens, all [m]: one entry per row of logits. */
export interface SamplingParameters {
  /** 0 is greedy. */
  readonly temperature: FloatValue;
  /** 0 is off. */
  readonly topK: Value<'int32'>;
  /** 1 is off. */
  readonly topP: FloatValue;
  /** 0 is off. */
  readonly minP: FloatValue;
  /** In [0, 1): the row's own draw. */
  readonly uniform: FloatValue;
}

/** What is needed only where some row chooses. */
export interface Choosing {
  /** The logits to choose by, in place of the model's own. */
  readonly adjust: (graph: Graph, logits: FloatValue) => FloatValue;
  readonly createParameters: (graph: Graph) => SamplingParameters;
}

/**
 * The token of each row of logits.
 *
 *   targets all ≥ 0? ──yes──► targets
 *        │no
 *     adjust ── arg max ──── some temperature > 0? ──no──► arg max
 *                        │yes
 *        min-p, where some row has it ── inverse CDF in vocabulary order ── some top-k or top-p? ──no──► that
 *                                                                                 │yes
 *                                                             rows with limits: inverse CDF over the sorted, cut distribution
 *
 * Inputs: logits [m, V], targets [m] int64 (−1: choose). Output: [m] int64.
 * A row's token depends on its own logits, parameters and draw alone, whatever the others ask for.
 */
export function chooseTokens(
  graph: Graph,
  modelLogits: FloatValue,
  targets: Value<'int64'>,
  { adjust, createParameters }: Choosing,
  name: string,
): Value<'int64'> {
  const zero = graph.constant('int64', [0], []);
  const isFree = graph.less(targets, zero, `${name}.isFree`);
  return graph.branch(
    someTrue(graph, isFree, `${name}.someFree`),
    {
      then: (choosing) => {
        const logits = adjust(choosing, modelLogits);
        const greedy = choosing.argMax(logits, `${name}.greedy`);
        const parameters = createParameters(choosing);
        const isSampled = choosing.greater(parameters.temperature, choosing.constant('float32', [0], []), `${name}.isSampled`);
        const free = choosing.branch(
          someTrue(choosing, isSampled, `${name}.someSampled`),
          {
            then: (sampling) =>
              sampling.where(isSampled, sampleTokens(sampling, logits, parameters, `${name}.sample`), greedy, `${name}.mixed`),
            else: () => greedy,
          },
          `${name}.free`,
        );
        return choosing.where(isFree, free, targets, `${name}.chosen`);
      },
      else: () => targets,
    },
    name,
  );
}

/** Inverse-CDF sampling of every row, greedy ones included (their result is dropped). */
function sampleTokens(graph: Graph, logits: FloatValue, parameters: SamplingParameters, name: string): Value<'int64'> {
  // Greedy rows have temperature 0; a floor keeps their dropped result finite.
  const floor = graph.constant('float32', [1e-6], []);
  const temperature = graph.unsqueeze(graph.maximum(parameters.temperature, floor, `${name}.floored`), 1, `${name}.temperature`);
  const scaled = cutUnlikely(graph, graph.divide(logits, temperature, `${name}.scaledLogits`), parameters.minP, `${name}.likely`);
  const uniform = graph.unsqueeze(parameters.uniform, 1, `${name}.uniform`);

  const probabilities = graph.softmax(scaled, `${name}.probabilities`);
  const unlimited = drawIndex(graph, probabilities, uniform, `${name}.unlimited`);

  const hasTopK = graph.greater(parameters.topK, graph.constant('int32', [0], []), `${name}.hasTopK`);
  const hasTopP = graph.less(parameters.topP, graph.constant('float32', [1], []), `${name}.hasTopP`);
  const isLimited = graph.or(hasTopK, hasTopP, `${name}.isLimited`);
  return graph.branch(
    someTrue(graph, isLimited, `${name}.someLimited`),
    {
      then: (limiting) => {
        const limited = sampleLimited(limiting, scaled, uniform, parameters, hasTopK, `${name}.limited`);
        return limiting.where(isLimited, limited, unlimited, `${name}.mixedLimits`);
      },
      else: () => unlimited,
    },
    `${name}.token`,
  );
}

/** Min-p (Nguyen et al. 2024, arXiv 2407.01082): tokens less likely than min-p times the likeliest are as good as impossible. */
function cutUnlikely(graph: Graph, scaled: FloatValue, minP: FloatValue, name: string): FloatValue {
  return graph.branch(
    someTrue(graph, graph.greater(minP, graph.constant('float32', [0], []), `${name}.hasMinP`), `${name}.someMinP`),
    {
      then: (cutting) => {
        const probabilities = cutting.softmax(scaled, `${name}.probabilities`);
        const most = cutting.reduceMax(probabilities, -1, `${name}.most`, { keepDim: true });
        const least = cutting.multiply(most, cutting.unsqueeze(minP, 1, `${name}.minP`), `${name}.least`);
        const isLikely = cutting.lessOrEqual(least, probabilities, `${name}.isLikely`);
        return cutting.where(isLikely, scaled, cutting.constant('float32', [-1e30], []), `${name}.kept`);
      },
      else: () => scaled,
    },
    name,
  );
}

/**
 * Top-k first, then top-p on what it leaves, as vLLM and transformers order them: in sorted order a token stays while its rank is below k
 * and the mass before it is below p, so the first one always stays.
 */
function sampleLimited(
  graph: Graph,
  scaled: FloatValue,
  uniform: FloatValue,
  parameters: SamplingParameters,
  hasTopK: Value<'bool'>,
  name: string,
): Value<'int64'> {
  const vocabulary = Number(getDim(scaled.shape, 1));
  const all = graph.constant('int32', [vocabulary], []);
  const clampedTopK = graph.minimum(parameters.topK, all, `${name}.clampedTopK`);
  const keptCount = graph.where(hasTopK, clampedTopK, all, `${name}.keptCount`);
  // Sorting no deeper than the batch needs: the whole vocabulary only when some row has top-p without top-k.
  const depth = graph.unsqueeze(
    graph.cast(graph.reduceMax(keptCount, 'all', `${name}.maxKept`), 'int64', `${name}.depthScalar`),
    0,
    `${name}.depth`,
  );
  const sorted = graph.topK(scaled, depth, 'sorted', `${name}.sorted`);

  const depthScalar = graph.squeeze(depth, 0, `${name}.rankLimit`);
  const rank = graph.cast(graph.range(depthScalar, 'sorted', `${name}.rankIndex`), 'int32', `${name}.rank`);
  const isWithinK = graph.less(
    graph.unsqueeze(rank, 0, `${name}.rankRow`),
    graph.unsqueeze(keptCount, 1, `${name}.keptColumn`),
    `${name}.isWithinK`,
  );
  const kLogits = graph.where(isWithinK, sorted.values, graph.constant('float32', [-1e30], []), `${name}.topKLogits`);
  const kProbabilities = graph.softmax(kLogits, `${name}.topKProbabilities`);
  const massBefore = graph.subtract(graph.cumulativeSum(kProbabilities, `${name}.mass`), kProbabilities, `${name}.massBefore`);
  const isWithinP = graph.less(massBefore, graph.unsqueeze(parameters.topP, 1, `${name}.topPColumn`), `${name}.isWithinP`);
  const kept = graph.where(
    graph.and(isWithinK, isWithinP, `${name}.isKept`),
    kProbabilities,
    graph.constant('float32', [0], []),
    `${name}.kept`,
  );

  const place = drawIndex(graph, kept, uniform, `${name}.place`);
  const column = graph.gatherElements(sorted.indices, graph.unsqueeze(place, 1, `${name}.placeColumn`), `${name}.tokenColumn`);
  return graph.squeeze(column, 1, `${name}.token`);
}

/** Index at which the running sum of `mass` [m, n] passes uniform · total: places without mass are never drawn. Output [m]. */
function drawIndex(graph: Graph, mass: FloatValue, uniform: FloatValue, name: string): Value<'int64'> {
  const cumulative = graph.cumulativeSum(mass, `${name}.cumulative`);
  // The running sum's own end, not 1: rounding must not leave a gap that no token owns.
  const total = graph.reduceMax(cumulative, -1, `${name}.total`, { keepDim: true });
  const threshold = graph.multiply(uniform, total, `${name}.threshold`);
  // uniform < 1 leaves threshold ≤ total; at equality by rounding, step back into the last place with mass.
  const reached = graph.lessOrEqual(cumulative, threshold, `${name}.reached`);
  const isBelowTotal = graph.less(cumulative, total, `${name}.isBelowTotal`);
  const passed = graph.cast(graph.and(reached, isBelowTotal, `${name}.isPassed`), 'int32', `${name}.passed`);
  return graph.cast(graph.reduceSum(passed, -1, `${name}.count`), 'int64', name);
}

function someTrue(graph: Graph, flags: Value<'bool'>, name: string): Value<'bool'> {
  const most = graph.reduceMax(graph.cast(flags, 'int32', `${name}.flags`), 'all', `${name}.most`);
  return graph.cast(most, 'bool', name);
}
