// Search over what the registry records.
import { Module } from '@nestjs/common';
import { SignaturesModule } from '../signatures/signatures.module.js';
import { LikenessService } from './likeness.service.js';
import { SearchController } from './search.controller.js';
import { SearchService } from './search.service.js';

@Module({
  imports: [SignaturesModule],
  controllers: [SearchController],
  providers: [SearchService, LikenessService],
  exports: [SearchService, LikenessService],
})
export class SearchModule {}
