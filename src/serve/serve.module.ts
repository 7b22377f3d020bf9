// Tokens from a base model plus a composition, as OpenAI's API gives them. The engines come from the runtime, which is global.
import { Module } from '@nestjs/common';
import { MetricsModule } from '#src/metrics/metrics.module.js';
import { RegistryModule } from '#src/registry/registry.module.js';
import { CompareController } from '#src/serve/compare/compare.controller.js';
import { CompareService } from '#src/serve/compare/compare.service.js';
import { GenerationService } from '#src/serve/generation.service.js';
import { LoraAdaptersController } from '#src/serve/llama-cpp/lora-adapters.controller.js';
import { LoraxController } from '#src/serve/lorax/lorax.controller.js';
import { LoraxService } from '#src/serve/lorax/lorax.service.js';
import { OpenAiController } from '#src/serve/openai.controller.js';
import { RuntimeLoraController } from '#src/serve/runtime-lora/runtime-lora.controller.js';
import { RuntimeLoraService } from '#src/serve/runtime-lora/runtime-lora.service.js';
import { ServedModelsService } from '#src/serve/served-models.service.js';
import { TokenizeController } from '#src/serve/tokenize/tokenize.controller.js';
import { TokenizeService } from '#src/serve/tokenize/tokenize.service.js';
import { TokenizerModule } from '#src/tokenizer/tokenizer.module.js';

@Module({
  imports: [RegistryModule, TokenizerModule, MetricsModule],
  controllers: [OpenAiController, TokenizeController, CompareController, LoraxController, LoraAdaptersController, RuntimeLoraController],
  providers: [GenerationService, ServedModelsService, TokenizeService, CompareService, LoraxService, RuntimeLoraService],
})
export class ServeModule {}
