// A request of LoRAX as the completion that answers it. Pure.
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import type { LoraxParametersDto, LoraxRequestDto } from '#src/serve/lorax/lorax-request.dto.js';
import { failServe } from '#src/serve/serve.errors.js';

/**
 * @param isStream as the route or the body says
 * @throws BraidError INVALID_VALUE for details of the prompt in a stream, as LoRAX does
 */
export function completionOfRequest({ inputs, parameters }: LoraxRequestDto, model: string, isStream: boolean): CompletionRequestDto {
  const { adapter_id, adapter_source, merged_adapters, ...own } = parameters ?? {};
  const wantsPrefill = own.decoder_input_details ?? false;
  if (wantsPrefill && isStream) {
    throw failServe('INVALID_VALUE', { field: 'parameters.decoder_input_details', rule: 'is not possible in a stream' });
  }
  return {
    model,
    adapter_id: adapter_id ?? null,
    adapter_source: adapter_source ?? null,
    merged_adapters: merged_adapters ?? null,
    prompt: inputs,
    max_tokens: own.max_new_tokens ?? null,
    temperature: isSampled(parameters ?? {}) ? (own.temperature ?? 1) : 0,
    top_k: own.top_k ?? null,
    top_p: own.top_p ?? null,
    repetition_penalty: own.repetition_penalty ?? null,
    frequency_penalty: own.frequency_penalty ?? null,
    presence_penalty: own.presence_penalty ?? null,
    seed: own.seed ?? null,
    stop: own.stop ?? null,
    // LoRAX leaves the stop text in.
    include_stop_str_in_output: true,
    ignore_eos: own.ignore_eos_token ?? false,
    echo: wantsPrefill,
    logprobs: own.return_k_alternatives ?? 0,
    stream: isStream,
  };
}

/** As LoRAX's token chooser: whatever bends the distribution samples from it. */
export function isSampled({ do_sample: doSample, temperature, top_k: topK, top_p: topP }: LoraxParametersDto): boolean {
  if (temperature === 0) return false;
  return (doSample ?? false) || (temperature ?? 1) !== 1 || (topK ?? 0) > 0 || (topP ?? 1) < 1;
}
