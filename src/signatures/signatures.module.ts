// Signatures for publish, search and compose. The engines come from the runtime, which is global.
import { Module } from '@nestjs/common';
import { RegistryModule } from '#src/registry/registry.module.js';
import { TokenizerModule } from '#src/tokenizer/tokenizer.module.js';
import { SignaturesService } from './signatures.service.js';

@Module({ imports: [RegistryModule, TokenizerModule], providers: [SignaturesService], exports: [SignaturesService] })
export class SignaturesModule {}
