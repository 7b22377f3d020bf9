// Brings a published adapter into memory before anybody asks for it.
import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { BraidError } from '#src/http/braid-error.js';
import { type Engines, ENGINES } from '#src/runtime/engine.js';
import type { LoadLoraRequestDto } from '#src/serve/runtime-lora/load-lora-request.dto.js';
import { failServe } from '#src/serve/serve.errors.js';
import { ServedModelsService } from '#src/serve/served-models.service.js';

/** The shortest text that can be scored; every vocabulary has these tokens. */
const SHORTEST = { ids: [0, 1], from: 1 };

@Injectable()
export class RuntimeLoraService {
  constructor(
    private readonly models: ServedModelsService,
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /**
   * Loads the adapter by computing with it once. It stays until others need its memory.
   * @throws BraidError LORA_UPDATING_OFF, LORA_NOT_PUBLISHED, LORA_NAME_DIFFERS, MIXTURE_NOT_ADAPTER; as the engine does
   */
  async load({ lora_name: name, lora_path: path }: LoadLoraRequestDto, signal: AbortSignal): Promise<void> {
    if (!this.configuration.allowRuntimeLoraUpdating) throw failServe('LORA_UPDATING_OFF');
    const { version, baseModel } = await this.getPublished(path, 'lora_path');
    const own = version.repository.fullName;
    // The bare name of an older version means another adapter.
    const isOwn = name === `${own}@${version.version}` || (name === own && version.isLatest);
    if (!isOwn) {
      const expected = version.isLatest ? `${own} or ${own}@${version.version}` : `${own}@${version.version}`;
      throw failServe('LORA_NAME_DIFFERS', { field: 'lora_name', expected, found: name });
    }
    const engine = await this.engines.get(baseModel.digest);
    await engine.score([{ ...SHORTEST, mixture: [{ digest: version.digest, weight: 1 }] }], { signal });
  }

  private async getPublished(path: string, field: string) {
    try {
      return await this.models.getAdapter(path, field);
    } catch (error) {
      const isUnknown = error instanceof BraidError && error.code === 'MODEL_NOT_FOUND';
      throw isUnknown ? failServe('LORA_NOT_PUBLISHED', { field, reason: error.message }, error) : error;
    }
  }
}
