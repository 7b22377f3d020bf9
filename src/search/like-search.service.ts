// Searches by likeness: to an adapter, or to a task that a few examples show.
import { Injectable } from '@nestjs/common';
import { errorsOf } from '../http/braid-error.js';
import { parseRepoName, parseVersionedName, type RepoName } from '../ids/ids.js';
import { type BaseModel } from '../registry/base-model.entity.js';
import { RegistryService } from '../registry/registry.service.js';
import { SignaturesService } from '../signatures/signatures.service.js';
import { parseExamples, tokenizeExamples } from '../tokenizer/examples.js';
import { TokenizerService } from '../tokenizer/tokenizer.service.js';
import { type LikeSearchRequest, type LikeSearchResult } from './like-search.dto.js';
import { LikenessService } from './likeness.service.js';
import { searchErrors } from './search.errors.js';
import { SearchService } from './search.service.js';

const fail = errorsOf(searchErrors);
const DEFAULT_LIMIT = 20;

interface Task {
  readonly baseModel: BaseModel;
  /** Undefined where an adapter has nothing to be known by. */
  readonly signature: Float32Array | undefined;
  /** The adapter itself, which is most like itself. */
  readonly self: RepoName | undefined;
}

@Injectable()
export class LikeSearchService {
  constructor(
    private readonly registry: RegistryService,
    private readonly tokenizers: TokenizerService,
    private readonly signatures: SignaturesService,
    private readonly likeness: LikenessService,
    private readonly searches: SearchService,
  ) {}

  /** @throws BraidError of search.errors.ts, registry.errors.ts, examples.errors.ts, tokenizer.errors.ts and runtime.errors.ts */
  async search(request: LikeSearchRequest): Promise<LikeSearchResult> {
    const { baseModel, signature, self } = await this.findTask(request);
    if (signature === undefined) return { items: [], considered: 0 };
    const limit = request.limit ?? DEFAULT_LIMIT;
    const { nearest, considered } = await this.likeness.findNearest(baseModel, signature, limit + 1);
    const others = nearest.filter(({ name }) => name !== self);
    const similarities = new Map<string, number>(others.map(({ name, similarity }) => [name, similarity]));
    const items = await this.searches.listAdapters(others.slice(0, limit).map(({ name }) => name));
    return {
      items: items.map((item) => ({ ...item, similarity: similarities.get(item.name) ?? 0 })),
      considered: considered - (nearest.length - others.length),
    };
  }

  private async findTask({ like, examples, base }: LikeSearchRequest): Promise<Task> {
    if ((like === undefined) === (examples === undefined)) throw fail('LIKE_OR_EXAMPLES', {});
    if (like !== undefined) {
      const { name, version } = parseVersionedName(like);
      const found = await this.registry.getAdapterVersion(name, version);
      const { baseModel } = found.repository;
      if (base !== undefined && parseRepoName(base) !== baseModel.name)
        throw fail('LIKE_ON_OTHER_BASE', { name, expected: baseModel.name });
      return { baseModel, signature: await this.signatures.getSignature(baseModel, found), self: name };
    }
    if (base === undefined) throw fail('LIKE_OR_EXAMPLES', {});
    const baseModel = await this.registry.getBaseModel(parseRepoName(base));
    const tokens = tokenizeExamples(parseExamples(examples ?? []), await this.tokenizers.get(baseModel), baseModel.contextLength);
    return { baseModel, signature: await this.signatures.describeTask(baseModel, tokens), self: undefined };
  }
}
