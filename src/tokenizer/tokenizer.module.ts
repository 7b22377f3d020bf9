// Text ↔ tokens for every room that reads or writes text.
import { Module } from '@nestjs/common';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';

@Module({ providers: [TokenizerService], exports: [TokenizerService] })
export class TokenizerModule {}
