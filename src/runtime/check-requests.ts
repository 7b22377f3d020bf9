// What a request must be before anything is loaded or run for it. Pure; every failure names what was found and what is allowed.
import type { Digest } from '#src/ids/ids.js';
import { isSeq2Seq, type ModelConfig } from '#kernels/models/models.js';
import type { EmbedRow, GenerateRequest, Mixture, Sampling, ScoreOptions, ScorePrecision, ScoreRow, WeightedAdapter } from './engine.js';
import { fail } from './runtime.errors.js';
import type { Provider } from './worker/protocol.js';

/** What the model can take. */
export interface ModelLimits {
  readonly contextLength: number;
  readonly vocabularySize: number;
}

const MAX_TOP_LOGPROBS = 20;
// Each stop token widens an input of every step; more than this is a mistake, not a use.
const MAX_STOP_TOKENS = 64;
// Far beyond any use (composition bounds are ±1.5), far below what overflows float32 on its way through a network.
const MAX_WEIGHT = 1e4;
// Below this the distribution is its arg max to float32's precision; vLLM draws the same line.
const GREEDY_BELOW = 1e-5;
const MAX_TEMPERATURE = 100;
// Either way a token of the prompt is all but banned or all but forced; beyond, logits would leave float32.
const REPETITION_PENALTIES = { least: 0.01, most: 100 };
const MAX_PENALTY = 2;
const MAX_BIAS = 100;
// Every listed token widens the lists of all rows of a run.
const MAX_LISTED_TOKENS = 1024;

/**
 * The mixture with equal digests summed and zero weights dropped, sorted by digest: equal compositions become equal lists.
 * @throws BraidError OUT_OF_BOUNDS
 */
export function checkMixture(mixture: Mixture): Mixture {
  const terms = new Map<Digest, WeightedAdapter>();
  for (const term of mixture) {
    for (const { weight } of [term, ...(term.factors ?? [])]) {
      if (!(Math.abs(weight) <= MAX_WEIGHT)) throw outOfBounds('weight', weight, `a finite number of magnitude at most ${MAX_WEIGHT}`);
    }
    terms.set(term.digest, { ...term, weight: (terms.get(term.digest)?.weight ?? 0) + term.weight });
  }
  return [...terms.values()].filter(({ weight }) => weight !== 0).sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** @throws BraidError EMPTY_INPUT, TOKEN_OUT_OF_RANGE, CONTEXT_OVERFLOW, OUT_OF_BOUNDS */
export function checkScoreRow(row: ScoreRow, limits: ModelLimits): ScoreRow {
  checkTokens(row.ids, limits);
  checkContext(row.ids.length, 0, limits);
  checkWhole('from', row.from, 1, row.ids.length);
  return { ids: row.ids, from: row.from, mixture: checkMixture(row.mixture) };
}

/** @throws BraidError EMPTY_INPUT, TOKEN_OUT_OF_RANGE, CONTEXT_OVERFLOW, OUT_OF_BOUNDS */
export function checkEmbedRow(row: EmbedRow, limits: ModelLimits): EmbedRow {
  checkTokens(row.ids, limits);
  checkContext(row.ids.length, 0, limits);
  checkWhole('from', row.from, 0, row.ids.length - 1);
  return { ids: row.ids, from: row.from, mixture: checkMixture(row.mixture) };
}

/** @throws BraidError PRECISION_UNSUPPORTED where the model overflows in it, PRECISION_NEEDS_CPU */
export function checkPrecision(precision: ScorePrecision, config: ModelConfig, provider: Provider): void {
  if (precision !== 'float32' && precision !== 'float16' && provider !== 'cpu') throw fail('PRECISION_NEEDS_CPU', { precision, provider });
  if (precision === 'float16' && isSeq2Seq(config)) throw fail('PRECISION_UNSUPPORTED', { architecture: config.architecture, precision });
}

/** @throws BraidError OUT_OF_BOUNDS, MIXTURES_DIFFER, PRECISION_UNSUPPORTED */
export function checkScoreOptions(
  rows: readonly ScoreRow[],
  options: ScoreOptions,
  { provider, config }: { readonly provider: Provider; readonly config: ModelConfig },
): void {
  checkWhole('topLogprobs', options.topLogprobs ?? 0, 0, MAX_TOP_LOGPROBS);
  const { precision = 'float32', application = 'factored' } = options;
  if (precision !== 'float32' && application === 'merged') throw outOfBounds('precision', precision, 'float32 with merged application');
  checkPrecision(precision, config, provider);
  if (application !== 'merged') return;
  const keys = new Set(rows.map((row) => JSON.stringify(row.mixture)));
  if (keys.size > 1) throw fail('MIXTURES_DIFFER');
}

/**
 * The request with its mixture and sampling in canonical form.
 * @throws BraidError EMPTY_INPUT, TOKEN_OUT_OF_RANGE, CONTEXT_OVERFLOW, OUT_OF_BOUNDS
 */
export function checkGenerateRequest(request: GenerateRequest, limits: ModelLimits): GenerateRequest {
  checkTokens(request.ids, limits);
  checkWhole('maxTokens', request.maxTokens, 1, Number.MAX_SAFE_INTEGER);
  checkContext(request.ids.length, request.maxTokens, limits);
  checkWhole('topLogprobs', request.topLogprobs, 0, MAX_TOP_LOGPROBS);
  if (request.stopTokens.length > MAX_STOP_TOKENS)
    throw outOfBounds('stopTokens', `${request.stopTokens.length} tokens`, `at most ${MAX_STOP_TOKENS} tokens`);
  for (const token of request.stopTokens) checkWhole('stopTokens', token, 0, limits.vocabularySize - 1);
  const { minTokens = 0 } = request;
  checkWhole('minTokens', minTokens, 0, request.maxTokens);
  const sampling = checkSampling(request.sampling, limits);
  if (minTokens > 0 && sampling.allowedTokens?.every((token) => request.stopTokens.includes(token)) === true)
    throw outOfBounds('allowedTokens', 'stop tokens alone', 'others too where minTokens is above 0');
  return { ...request, mixture: checkMixture(request.mixture), sampling };
}

function checkSampling(sampling: Sampling, limits: ModelLimits): Sampling {
  const { temperature, topK, topP, seed } = sampling;
  if (!(temperature >= 0 && temperature <= MAX_TEMPERATURE))
    throw outOfBounds('temperature', temperature, `between 0 and ${MAX_TEMPERATURE}`);
  checkWhole('topK', topK, 0, Number.MAX_SAFE_INTEGER);
  if (!(topP > 0 && topP <= 1)) throw outOfBounds('topP', topP, 'above 0 and at most 1');
  if (!Number.isSafeInteger(seed)) throw outOfBounds('seed', seed, 'a whole number of at most 53 bits');
  const { minP = 0 } = sampling;
  if (!(minP >= 0 && minP <= 1)) throw outOfBounds('minP', minP, 'between 0 and 1');
  return {
    temperature: temperature < GREEDY_BELOW ? 0 : temperature,
    topK: topK >= limits.vocabularySize ? 0 : topK,
    topP,
    minP,
    seed,
    ...checkAdjustments(sampling, limits),
  };
}

type Adjustments = Pick<Sampling, 'repetitionPenalty' | 'presencePenalty' | 'frequencyPenalty' | 'logitBias' | 'allowedTokens'>;

function checkAdjustments(sampling: Sampling, { vocabularySize }: ModelLimits): Adjustments {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias, allowedTokens } = sampling;
  const { least, most } = REPETITION_PENALTIES;
  if (!(repetitionPenalty >= least && repetitionPenalty <= most))
    throw outOfBounds('repetitionPenalty', repetitionPenalty, `between ${least} and ${most}`);
  for (const [field, penalty] of Object.entries({ presencePenalty, frequencyPenalty })) {
    if (!(Math.abs(penalty) <= MAX_PENALTY)) throw outOfBounds(field, penalty, `between -${MAX_PENALTY} and ${MAX_PENALTY}`);
  }
  for (const [field, tokens] of Object.entries({ logitBias: [...(logitBias?.keys() ?? [])], allowedTokens: allowedTokens ?? [] })) {
    if (tokens.length > MAX_LISTED_TOKENS) throw outOfBounds(field, `${tokens.length} tokens`, `at most ${MAX_LISTED_TOKENS} tokens`);
    for (const token of tokens) checkWhole(field, token, 0, vocabularySize - 1);
  }
  for (const bias of logitBias?.values() ?? []) {
    if (!(Math.abs(bias) <= MAX_BIAS)) throw outOfBounds('logitBias', bias, `between -${MAX_BIAS} and ${MAX_BIAS}`);
  }
  if (allowedTokens?.length === 0) throw outOfBounds('allowedTokens', 'empty', 'at least one token, or absent');
  return {
    repetitionPenalty,
    presencePenalty,
    frequencyPenalty,
    ...(logitBias !== undefined && logitBias.size > 0 && { logitBias }),
    ...(allowedTokens !== undefined && { allowedTokens: [...new Set(allowedTokens)] }),
  };
}

function checkTokens(ids: readonly number[], { vocabularySize }: ModelLimits): void {
  if (ids.length === 0) throw fail('EMPTY_INPUT');
  for (const [position, id] of ids.entries()) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
      throw fail('TOKEN_OUT_OF_RANGE', { found: String(id), position, last: vocabularySize - 1 });
  }
}

function checkContext(prompt: number, answer: number, { contextLength }: ModelLimits): void {
  if (prompt + answer > contextLength) throw fail('CONTEXT_OVERFLOW', { found: prompt + answer, prompt, answer, limit: contextLength });
}

function checkWhole(field: string, found: number, least: number, most: number): void {
  if (!Number.isInteger(found) || found < least || found > most) throw outOfBounds(field, found, `a whole number from ${least} to ${most}`);
}

function outOfBounds(field: string, found: number | string, allowed: string): Error {
  return fail('OUT_OF_BOUNDS', { field, found: String(found), allowed });
}
