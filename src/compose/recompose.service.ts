// Composes a composition again: the same examples and settings, the newest versions of its candidates, its weights as the start.
import { Inject, Injectable } from '@nestjs/common';
import { parseRepoName, type RowId } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import type { RecomposeRequest } from './compose.dto.js';
import { failCompose } from './compose.errors.js';
import { ComposeService } from './compose.service.js';
import { findKeptExamples } from './kept-examples.js';
import type { KeptRecipe } from './jobs/job-settings.js';
import { spellValidation } from './strategy.js';

@Injectable()
export class RecomposeService {
  constructor(
    private readonly registry: RegistryService,
    private readonly compose: ComposeService,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /**
   * Queues a job for the next version.
   * @throws BraidError UNKNOWN_COMPOSITION, NOTHING_CHANGED, EXAMPLES_NOT_KEPT, and as `ComposeService.createJob`
   */
  async recompose(nameText: string, { priority }: RecomposeRequest): Promise<{ readonly id: RowId }> {
    const name = parseRepoName(nameText);
    const { version, parts, recipe: stored, repository } = await this.registry.getCompositionVersion(name);
    // Written by the job runner, whose type this is.
    const { candidates, settings, examples: kept } = stored as unknown as KeptRecipe;
    if (settings === undefined) throw failCompose('EXAMPLES_NOT_KEPT', { name, version });
    const newest = await Promise.all(candidates.map(({ adapter }) => this.registry.getAdapterVersion(adapter)));
    if (newest.every(({ digest }, i) => digest === candidates[i]?.digest)) throw failCompose('NOTHING_CHANGED', { name, version });
    const examples = await findKeptExamples(this.objects, kept.digest);
    if (examples === undefined) throw failCompose('EXAMPLES_NOT_KEPT', { name, version });
    return this.compose.createJob({
      ...settings,
      strategy: spellValidation(settings.strategy),
      name,
      base: repository.baseModel.name,
      examples,
      adapters: candidates.map(({ adapter }) => adapter),
      warmStart: Object.fromEntries(parts.map(({ adapter, weight }) => [adapter, weight])),
      ...(priority !== undefined && { priority }),
    });
  }
}
