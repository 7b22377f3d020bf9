// Bends a row's logits before its token is chosen: penalties, biases and bans of the tokens that it lists. All other logits stay bit by bit.
import type { Graph } from '../graph/graph.js';
import { getDim, type Dim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';

/**
 * What rows ask for. A row lists no token twice; the places that its list leaves free repeat its first token with all that goes with it, the last
 * ones, one a step, for tokens that come up in the run. A row that asks for nothing lists token 0 with what changes nothing.
 */
export interface LogitAdjustments {
  /** Scalar: whether some row asks for anything. */
  readonly isAdjusting: Value<'bool'>;
  /** [b, q] */
  readonly tokens: Value<'int64'>;
  /** [b, q]: how often the token is in the answer before the run. */
  readonly counts: FloatValue;
  /** [b, q]: whether the token is in the prompt. */
  readonly isPrompted: Value<'bool'>;
  /** [b, q] */
  readonly bias: FloatValue;
  /** [b, q]: for how many steps of the run the token is banned. */
  readonly bannedSteps: Value<'int64'>;
  /** [b]: whether every token that the row does not list is banned. */
  readonly isListedOnly: Value<'bool'>;
  /** [b], above 0; 1 is off. */
  readonly repetitionPenalty: FloatValue;
  /** [b] each; 0 is off. */
  readonly presencePenalty: FloatValue;
  readonly frequencyPenalty: FloatValue;
}

/** The listed tokens and their counts, as the run goes on. */
export interface TokenCounts {
  /** [b, q] */
  readonly tokens: Value<'int64'>;
  /** [b, q] */
  readonly counts: FloatValue;
}

// Far below any logit, far above where float32 ends: sums and quotients of it stay finite.
const BANNED = -1e30;

export function createAdjustmentInputs(graph: Graph): LogitAdjustments {
  return {
    isAdjusting: graph.input('isAdjusting', 'bool', []),
    tokens: graph.input('listedTokens', 'int64', ['b', 'q']),
    counts: graph.input('listedCounts', 'float32', ['b', 'q']),
    isPrompted: graph.input('isPrompted', 'bool', ['b', 'q']),
    bias: graph.input('logitBias', 'float32', ['b', 'q']),
    bannedSteps: graph.input('bannedSteps', 'int64', ['b', 'q']),
    isListedOnly: graph.input('isListedOnly', 'bool', ['b']),
    repetitionPenalty: graph.input('repetitionPenalty', 'float32', ['b']),
    presencePenalty: graph.input('presencePenalty', 'float32', ['b']),
    frequencyPenalty: graph.input('frequencyPenalty', 'float32', ['b']),
  };
}

/**
 * Semantics: of a listed token with logit x, bias β and count n, in vLLM's order,
 *   x₁ = x + β;  x₂ = x₁ / ρ where x₁ > 0, x₁ · ρ where not, if the token is in prompt or answer (Keskar et al. 2019, CTRL, section 4.1);
 *   x₃ = x₂ − n · frequency − [n > 0] · presence;  banned tokens are as good as −∞.
 * Inputs: logits [m, V], rows [m] int64 (the row of each), iteration scalar int64, `now` as {@link countTokens} left it. Output: [m, V].
 * Numerics: fp32. Where nothing is asked for, x + 0, x / 1 and x − 0 are x, so neighbours do not change a row.
 */
export function adjustLogits(
  graph: Graph,
  logits: FloatValue,
  at: { readonly rows: Value<'int64'>; readonly iteration: Value<'int64'> },
  adjustments: LogitAdjustments,
  now: TokenCounts,
): FloatValue {
  return graph.branch(
    adjustments.isAdjusting,
    { then: (adjusting) => adjustListed(adjusting, logits, at, adjustments, now), else: () => logits },
    'adjustedLogits',
  );
}

function adjustListed(
  graph: Graph,
  logits: FloatValue,
  { rows, iteration }: { readonly rows: Value<'int64'>; readonly iteration: Value<'int64'> },
  adjustments: LogitAdjustments,
  now: TokenCounts,
): FloatValue {
  const zero = graph.constant('float32', [0], []);
  const banned = graph.constant('float32', [BANNED], []);
  // A token that came up in the run has nothing but its count.
  const isOwn = graph.equal(now.tokens, adjustments.tokens, 'isOwnToken');
  const hasCome = graph.greater(now.counts, zero, 'hasCome');
  const isSeen = graph.or(graph.and(adjustments.isPrompted, isOwn, 'isOwnPrompted'), hasCome, 'isSeen');
  const bias = graph.where(isOwn, adjustments.bias, zero, 'ownBias');
  const isBanned = graph.and(graph.greater(adjustments.bannedSteps, iteration, 'isBannedYet'), isOwn, 'isBanned');

  const tokens = graph.gather(now.tokens, rows, 0, 'rowTokensListed');
  const counts = graph.gather(now.counts, rows, 0, 'rowCounts');
  const ofRow = (value: FloatValue, name: string): FloatValue => graph.unsqueeze(graph.gather(value, rows, 0, name), 1, `${name}Column`);
  const repetition = ofRow(adjustments.repetitionPenalty, 'rowRepetition');
  const presence = ofRow(adjustments.presencePenalty, 'rowPresence');
  const frequency = ofRow(adjustments.frequencyPenalty, 'rowFrequency');

  const biased = graph.add(graph.gatherElements(logits, tokens, 'listedLogits'), graph.gather(bias, rows, 0, 'rowBias'), 'biasedLogits');
  const repeated = graph.where(
    graph.greater(biased, zero, 'isPositive'),
    graph.divide(biased, repetition, 'dividedLogits'),
    graph.multiply(biased, repetition, 'multipliedLogits'),
    'repeatedLogits',
  );
  const penalized = graph.where(graph.gather(isSeen, rows, 0, 'rowIsSeen'), repeated, biased, 'penalizedLogits');
  const perToken = graph.where(graph.gather(hasCome, rows, 0, 'rowHasCome'), presence, zero, 'presenceLoss');
  const loss = graph.add(graph.multiply(counts, frequency, 'frequencyLoss'), perToken, 'answerLoss');
  const wanted = graph.subtract(penalized, loss, 'wantedLogits');
  const values = graph.where(graph.gather(isBanned, rows, 0, 'rowIsBanned'), banned, wanted, 'listedValues');
  const around = banUnlisted(graph, logits, graph.gather(adjustments.isListedOnly, rows, 0, 'rowIsListedOnly'));
  // Places that repeat a token repeat its value: it does not matter which of them is written last.
  return graph.scatterElements(around, tokens, values, 1, 'scatteredLogits');
}

function banUnlisted(graph: Graph, logits: FloatValue, isListedOnly: Value<'bool'>): FloatValue {
  const flags = graph.cast(isListedOnly, 'int32', 'listedOnlyFlags');
  const someListedOnly = graph.cast(graph.reduceMax(flags, 'all', 'listedOnlyMost'), 'bool', 'someListedOnly');
  return graph.branch(
    someListedOnly,
    {
      then: (banning) =>
        banning.where(
          banning.unsqueeze(isListedOnly, 1, 'listedOnlyColumn'),
          banning.constant('float32', [BANNED], []),
          logits,
          'logitsWithoutUnlisted',
        ),
      else: () => logits,
    },
    'logitsAround',
  );
}

/**
 * Semantics: a token of the list is counted in all of its places; another one takes the place that is free for this step, with a count of 1.
 * Inputs: chosen [b, 1] int64, steps (of the run, at most) and iteration scalar int64. Output: `now` for the next step.
 */
export function countTokens(
  graph: Graph,
  { isAdjusting }: LogitAdjustments,
  now: TokenCounts,
  chosen: Value<'int64'>,
  { steps, iteration }: { readonly steps: Value<'int64'>; readonly iteration: Value<'int64'> },
): TokenCounts {
  const places = getDim(now.tokens.shape, 1);
  return {
    tokens: graph.branch(
      isAdjusting,
      {
        then: (counting) => {
          const { isTaken } = findPlaces(counting, now, chosen, { steps, iteration, places }, 'tokenPlace');
          return counting.where(isTaken, chosen, now.tokens, 'listedWithChosen');
        },
        else: () => now.tokens,
      },
      'nextListedTokens',
    ),
    counts: graph.branch(
      isAdjusting,
      {
        then: (counting) => {
          const { isSame, isTaken } = findPlaces(counting, now, chosen, { steps, iteration, places }, 'countPlace');
          const counted = counting.add(now.counts, counting.cast(isSame, 'float32', 'chosenFlags'), 'countedTokens');
          return counting.where(isTaken, counting.constant('float32', [1], []), counted, 'countsWithChosen');
        },
        else: () => now.counts,
      },
      'nextListedCounts',
    ),
  };
}

/** `isSame` [b, q]: where the chosen token is listed; `isTaken` [b, q]: the free place that it takes where it is not. */
function findPlaces(
  graph: Graph,
  { tokens }: TokenCounts,
  chosen: Value<'int64'>,
  { steps, iteration, places }: { readonly steps: Value<'int64'>; readonly iteration: Value<'int64'>; readonly places: Dim },
  name: string,
): { isSame: Value<'bool'>; isTaken: Value<'bool'> } {
  const isSame = graph.equal(tokens, chosen, `${name}.isSame`);
  const listed = graph.reduceMax(graph.cast(isSame, 'int32', `${name}.same`), 1, `${name}.listed`, { keepDim: true });
  const count = graph.squeeze(graph.dimOf(tokens, 1, `${name}.count`), 0, `${name}.countScalar`);
  const free = graph.add(graph.subtract(count, steps, `${name}.firstFree`), iteration, `${name}.free`);
  const isFree = graph.unsqueeze(graph.equal(graph.range(count, places, `${name}.index`), free, `${name}.isFree`), 0, `${name}.isFreeRow`);
  const isNew = graph.not(graph.cast(listed, 'bool', `${name}.isListed`), `${name}.isNew`);
  return { isSame, isTaken: graph.and(isFree, isNew, `${name}.isTaken`) };
}
