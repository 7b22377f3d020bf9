// Which adapters the configuration keeps in memory: its names become digests when a base model is opened, and stay those until it is opened anew.
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { BraidError } from '#src/http/braid-error.js';
import { type Digest, type VersionedName } from '#src/ids/ids.js';
import { RegistryService, type ResolvedModel } from '#src/registry/registry.service.js';
import { type PinnedAdapterSource } from '#src/runtime/sources.js';

@Injectable()
export class PinnedAdaptersService implements PinnedAdapterSource {
  private readonly logger = new Logger('base-models');

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    private readonly registry: RegistryService,
  ) {}

  async list(baseModelDigest: Digest): Promise<readonly Digest[]> {
    const digests = new Set<Digest>();
    for (const pinned of this.configuration.pinnedAdapters) {
      const resolved = await this.find(pinned);
      if (resolved === undefined) continue;
      if (resolved.kind !== 'adapter')
        this.warn(pinned, `it is ${resolved.kind === 'base' ? 'a base model' : 'a composition'} and not an adapter.`);
      else if (resolved.baseModel.digest === baseModelDigest) digests.add(resolved.version.digest);
    }
    return [...digests];
  }

  private async find(pinned: VersionedName): Promise<ResolvedModel | undefined> {
    try {
      return await this.registry.resolve(pinned);
    } catch (error) {
      if (!(error instanceof BraidError) || error.status >= 500) throw error;
      this.warn(pinned, `${error.message} Once it is published, start the hub again to keep it in memory.`);
      return undefined;
    }
  }

  private warn({ name, version }: VersionedName, reason: string): void {
    this.logger.warn(`BRAID_PINNED_ADAPTERS: ${name}${version === undefined ? '' : `@${version}`} is not pinned: ${reason}`);
  }
}
