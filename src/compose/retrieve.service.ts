// Retrieval on the parts of the hub: the task's signature by the engine, neighbours and word hits from search.
import { Injectable } from '@nestjs/common';
import { parseRepoName } from '#src/ids/ids.js';
import type { BaseModel } from '#src/registry/base-model.entity.js';
import { LikenessService } from '#src/search/likeness.service.js';
import { SearchService } from '#src/search/search.service.js';
import { SignaturesService } from '#src/signatures/signatures.service.js';
import type { TokenizedExample } from '#src/tokenizer/examples.js';
import { retrieve, type Retrieved, type RetrieveRequest } from './stages/retrieve.js';

@Injectable()
export class RetrieveService {
  constructor(
    private readonly signatures: SignaturesService,
    private readonly likeness: LikenessService,
    private readonly searches: SearchService,
  ) {}

  /**
   * The adapters on the base model that are best for the task of the examples.
   * @throws BraidError of tokenizer.errors.ts and runtime.errors.ts
   */
  async retrieve(
    baseModel: BaseModel,
    examples: readonly TokenizedExample[],
    request: Pick<RetrieveRequest, 'query' | 'limit'>,
  ): Promise<Retrieved> {
    const signature = await this.signatures.describeTask(baseModel, examples);
    return retrieve(
      { ...request, signature },
      {
        findNearest: (vector, limit) => this.likeness.findNearest(baseModel, vector, limit),
        compare: (vector, names) => this.likeness.compare(baseModel, vector, names),
        findByWords: async (q, limit) =>
          (await this.searches.search({ q, kind: 'adapter', base: baseModel.name, limit })).items.map((item) => parseRepoName(item.name)),
      },
    );
  }
}
