// Answers LoRAX's requests: which base answers, then a completion in LoRAX's shapes.
import { Injectable } from '@nestjs/common';
import { RegistryService } from '#src/registry/registry.service.js';
import { type Answer, GenerationService } from '#src/serve/generation.service.js';
import { completionOfRequest, isSampled } from '#src/serve/lorax/completion-of-request.js';
import { type LoraxAnswer, writeLoraxAnswer, writeLoraxEvents } from '#src/serve/lorax/lorax-answer.js';
import type { LoraxParametersDto, LoraxRequestDto } from '#src/serve/lorax/lorax-request.dto.js';
import { planCompletion } from '#src/serve/plan-generation.js';
import { findRequestedAdapters } from '#src/serve/requested-adapters.js';
import { failServe } from '#src/serve/serve.errors.js';
import { ServedModelsService } from '#src/serve/served-models.service.js';

/** Base models that an error names. */
const MAX_NAMED = 5;

@Injectable()
export class LoraxService {
  constructor(
    private readonly registry: RegistryService,
    private readonly models: ServedModelsService,
    private readonly generation: GenerationService,
  ) {}

  /**
   * @param signal ends the work when the client leaves
   * @throws BraidError BASE_MODEL_NEEDED, INVALID_VALUE; as a completion does
   */
  async generate(request: LoraxRequestDto, isStream: boolean, signal: AbortSignal): Promise<Answer<LoraxAnswer>> {
    const parameters = request.parameters ?? {};
    const completion = completionOfRequest(request, request.model ?? (await this.findBase(parameters)), isStream);
    const ground = await this.generation.prepare(completion);
    const { codec, engine, served, watch } = ground;
    if (completion.echo === true && engine.hasEncoder) {
      const rule = 'is not possible with this model: its encoder reads the prompt, and nothing predicts it';
      throw failServe('INVALID_VALUE', { field: 'parameters.decoder_input_details', rule });
    }
    const defaults = { field: 'inputs', maxTokens: engine.contextLength };
    const plan = watch.guard(() => planCompletion(completion, codec, engine, served.prompt, defaults));
    const pieces = this.generation.run(ground, plan, signal);
    const options = {
      codec,
      lead: parameters.return_full_text === true ? request.inputs : '',
      hasDetails: parameters.details ?? false,
      hasAlternatives: (parameters.return_k_alternatives ?? 0) > 0,
      seed: isSampled(parameters) ? (plan.seeds[0] ?? null) : null,
    };
    return isStream ? { chunks: writeLoraxEvents(pieces, options) } : { body: await writeLoraxAnswer(pieces, options) };
  }

  /** The base of the adapters that the request names, else the only one that the hub has. */
  private async findBase(parameters: LoraxParametersDto): Promise<string> {
    const requested = findRequestedAdapters(parameters);
    if (requested.kind === 'named') return this.models.getBaseName(requested.name, requested.field);
    const [part] = requested.kind === 'mixture' ? requested.parts : [];
    if (part !== undefined) return this.models.getBaseName(part.adapter, part.field);
    const bases = await this.registry.listBaseModels();
    const [base] = bases;
    if (base !== undefined && bases.length === 1) return base.name;
    const named = bases.slice(0, MAX_NAMED).map(({ name }) => name);
    const names = named.length === 0 ? '' : ` (${named.join(', ')}${bases.length > MAX_NAMED ? ', …' : ''})`;
    throw failServe('BASE_MODEL_NEEDED', { field: 'model', count: bases.length, names });
  }
}
