// The report of a composition as a page: fetches the version and the examples that were kept with it; report-page/ draws it.
import { Inject, Injectable } from '@nestjs/common';
import { parseRepoName, parseVersion } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { parseExamples } from '#src/tokenizer/examples.js';
import { failCompose } from './compose.errors.js';
import type { KeptRecipe } from './jobs/job-settings.js';
import { findKeptExamples } from './kept-examples.js';
import { renderPage } from './report-page/page.js';
import type { CompositionReport } from './report.js';

@Injectable()
export class ReportPageService {
  constructor(
    private readonly registry: RegistryService,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /**
   * The page of the version asked for, or of the latest, as a whole HTML document.
   * @throws BraidError UNKNOWN_COMPOSITION, UNKNOWN_VERSION, REPORT_MISSING
   */
  async getPage(nameText: string, versionText: string | undefined): Promise<string> {
    const found = await this.registry.getCompositionVersion(
      parseRepoName(nameText),
      versionText === undefined ? undefined : parseVersion(versionText),
    );
    const { repository, version, createdAt, parts } = found;
    const report = reportOf(found.report);
    if (report === undefined) throw failCompose('REPORT_MISSING', { name: repository.fullName, version });
    // Written by the job runner, whose type this is.
    const recipe = found.recipe as unknown as KeptRecipe;
    const values = await findKeptExamples(this.objects, recipe.examples.digest);
    return renderPage({
      name: repository.fullName,
      version,
      base: repository.baseModel.name,
      createdAt,
      parts,
      recipe,
      report,
      examples: values && parseExamples(values).map(({ example }) => example),
    });
  }
}

/** Undefined for a version that no search made, or one that searched before there were stages and expectations. */
function reportOf(stored: Record<string, unknown>): CompositionReport | undefined {
  const { stages, expected, examples } = stored;
  const isReport = Array.isArray(stages) && typeof expected === 'object' && expected !== null && Array.isArray(examples);
  // Written by the job runner, whose type this is.
  return isReport ? (stored as unknown as CompositionReport) : undefined;
}
