// Which adapters stay in memory: names of the configuration become digests of one base model, on both homes; what is no adapter is told.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Logger } from '@nestjs/common';
import { type DataSource } from 'typeorm';
import { PinnedAdaptersService } from '#src/base-models/pinned-adapters.service.js';
import { parseConfiguration } from '#src/config/configuration.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { digestOf } from '#src/ids/ids.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { Repository } from '#src/registry/repository.entity.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { newAdapterVersion, newBaseModel, newCompositionVersion } from '#test/fixtures/registry-rows.js';

describeOnHomes('pinned adapters', (home) => {
  let dataSource: DataSource;
  let registry: RegistryService;
  let base: BaseModel;
  let other: BaseModel;
  const warnings: string[] = [];

  before(async () => {
    const quiet = (): void => undefined;
    Logger.overrideLogger({ log: quiet, error: quiet, warn: (message: string) => warnings.push(message) });
    dataSource = await openDataSource(home.configuration, [BaseModel, Repository, AdapterVersion, CompositionVersion]);
    registry = new RegistryService(dataSource);
    base = await registry.addBaseModel(newBaseModel('org/base'));
    other = await registry.addBaseModel(newBaseModel('org/other'));
    for (const version of ['1.0.0', '1.1.0'])
      await registry.addAdapterVersion(newAdapterVersion('org/one', base, { version, digest: digestOf(version) }));
    await registry.addAdapterVersion(newAdapterVersion('org/two', base));
    await registry.addAdapterVersion(newAdapterVersion('org/far', other));
    await registry.addCompositionVersion(newCompositionVersion('org/both', base));
  });
  after(() => dataSource.destroy());

  function list(names: string, of: BaseModel): Promise<readonly string[]> {
    warnings.length = 0;
    return new PinnedAdaptersService(parseConfiguration({ BRAID_PINNED_ADAPTERS: names }), registry).list(of.digest);
  }

  it('gives each base model its own, a bare name as its latest version, each once', async () => {
    const names = 'org/one, org/one@1.0.0, org/one@1.1.0, org/far';
    assert.deepEqual(await list(names, base), [digestOf('1.1.0'), digestOf('1.0.0')]);
    assert.deepEqual(await list(names, other), [digestOf('content of org/far')]);
    assert.deepEqual(await list('', base), []);
    assert.deepEqual(warnings, []);
  });

  it('tells of names that are not there or no adapter, and keeps the others', async () => {
    assert.deepEqual(await list('org/nobody,org/one@9.0.0,org/both,org/base,org/two', base), [digestOf('content of org/two')]);
    const expected = [
      /^BRAID_PINNED_ADAPTERS: org\/nobody is not pinned: .*start the hub again/,
      /^BRAID_PINNED_ADAPTERS: org\/one@9\.0\.0 is not pinned: .*1\.1\.0/,
      /^BRAID_PINNED_ADAPTERS: org\/both is not pinned: it is a composition and not an adapter\.$/,
      /^BRAID_PINNED_ADAPTERS: org\/base is not pinned: it is a base model and not an adapter\.$/,
    ];
    assert.equal(warnings.length, expected.length, warnings.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(warnings[i] ?? '', pattern);
  });
});
