// Search over what the registry records.
import { Module } from '@nestjs/common';
import { SignaturesModule } from '../signatures/signatures.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { TokenizerModule } from '../tokenizer/tokenizer.module.js';
import { LikeSearchService } from './like-search.service.js';
import { LikenessService } from './likeness.service.js';
import { SearchController } from './search.controller.js';
import { SearchService } from './search.service.js';

@Module({
  imports: [RegistryModule, SignaturesModule, TokenizerModule],
  controllers: [SearchController],
  providers: [SearchService, LikenessService, LikeSearchService],
  exports: [SearchService, LikenessService],
})
export class SearchModule {}
