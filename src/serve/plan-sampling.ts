// A request's sampling fields as the engine takes them; token ids are checked against the model. Pure.
import type { Sampling } from '#src/runtime/engine.js';
import { assertTokens, type ModelLimits } from '#src/serve/encode-prompt.js';
import type { GenerationFieldsDto } from '#src/serve/generation-fields.dto.js';
import { failServe } from '#src/serve/serve.errors.js';

/** @param stopTokens every token that ends an answer. @throws BraidError INVALID_VALUE naming the field */
export function planSampling(request: GenerationFieldsDto, stopTokens: readonly number[], limits: ModelLimits): Omit<Sampling, 'seed'> {
  const bias = Object.entries(request.logit_bias ?? {}).map(([token, value]) => [Number(token), value] as const);
  assertTokens(
    bias.map(([token]) => token),
    limits,
    'logit_bias',
  );
  const allowed = request.allowed_token_ids ?? undefined;
  assertTokens(allowed ?? [], limits, 'allowed_token_ids');
  if ((request.min_tokens ?? 0) > 0 && allowed?.every((token) => stopTokens.includes(token)) === true) {
    throw failServe('INVALID_VALUE', {
      field: 'allowed_token_ids',
      rule: 'must hold a token that does not end the answer where min_tokens is above 0',
    });
  }
  const topK = request.top_k ?? 0;
  return {
    temperature: request.temperature ?? 1,
    topK: topK === -1 ? 0 : topK,
    topP: request.top_p ?? 1,
    minP: request.min_p ?? 0,
    repetitionPenalty: request.repetition_penalty ?? 1,
    presencePenalty: request.presence_penalty ?? 0,
    frequencyPenalty: request.frequency_penalty ?? 0,
    ...(bias.length > 0 && { logitBias: new Map(bias) }),
    ...(allowed !== undefined && { allowedTokens: allowed }),
  };
}
