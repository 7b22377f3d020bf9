// The registry on both homes: names mean one thing, versions never change, races end in one row and a clear answer for the others.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { type DataSource } from 'typeorm';
import { openDataSource } from '#src/database/open-data-source.js';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf, parseRepoName, parseVersion, parseVersionedName } from '#src/ids/ids.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { promptOfVersion } from '#src/registry/prompt-of-model.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { Repository } from '#src/registry/repository.entity.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { newAdapterVersion, newBaseModel, newCompositionVersion } from '#test/fixtures/registry-rows.js';

function hasCode(code: string, ...parts: readonly string[]): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof BraidError)) return false;
    assert.equal(error.code, code);
    for (const part of parts) assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
    return true;
  };
}

describeOnHomes('registry', (home) => {
  let dataSource: DataSource;
  let registry: RegistryService;
  let base: BaseModel;
  before(async () => {
    dataSource = await openDataSource(home.configuration, [BaseModel, Repository, AdapterVersion, CompositionVersion]);
    registry = new RegistryService(dataSource);
    base = await registry.addBaseModel(newBaseModel('org/base'));
  });
  after(() => dataSource.destroy());

  it('gives back a base model as it was added', async () => {
    const { id, createdAt, ...found } = await registry.getBaseModel(parseRepoName('org/base'));
    assert.deepEqual(found, newBaseModel('org/base'));
    assert.equal(id, base.id);
    assert.ok(Math.abs(Date.now() - createdAt.getTime()) < 600_000);
    assert.equal((await registry.getBaseModelByDigest(base.digest)).id, base.id);
  });

  it('takes the same base model again, and learns its new folder', async () => {
    const again = await registry.addBaseModel(newBaseModel('org/base', { directory: '/elsewhere' }));
    assert.equal(again.id, base.id);
    assert.equal((await registry.getBaseModel(base.name)).directory, '/elsewhere');
    await registry.addBaseModel(newBaseModel('org/base'));
  });

  it('refuses other weights under a name, and other names for weights', async () => {
    await assert.rejects(
      registry.addBaseModel(newBaseModel('org/base', { digest: digestOf('other') })),
      hasCode('BASE_MODEL_CONFLICT', 'org/base', 'other weights', 'Choose another name.'),
    );
    await assert.rejects(registry.addBaseModel(newBaseModel('org/alias', { digest: base.digest })), (error: unknown) => {
      assert.ok(hasCode('BASE_MODEL_EXISTS', 'org/alias', 'Use org/base.')(error));
      assert.doesNotMatch(String(error), /another name/);
      return true;
    });
    // The refused name stays free.
    await registry.addBaseModel(newBaseModel('org/alias'));
    assert.deepEqual(
      (await registry.listBaseModels()).map(({ name }) => name),
      ['org/alias', 'org/base'],
    );
  });

  it('adds one base model when several add it at once', async () => {
    const added = await Promise.all(Array.from({ length: 6 }, () => registry.addBaseModel(newBaseModel('race/base'))));
    assert.equal(new Set(added.map(({ id }) => id)).size, 1);
  });

  it('names what is near when a base model is unknown', async () => {
    await assert.rejects(registry.getBaseModel(parseRepoName('org/bass')), hasCode('UNKNOWN_BASE_MODEL', 'Did you mean org/base'));
    await assert.rejects(registry.getBaseModelByDigest(digestOf('nothing')), hasCode('UNKNOWN_BASE_MODEL'));
    assert.equal(await registry.findBaseModel(parseRepoName('no/where')), undefined);
  });

  it('gives back an adapter version as it was added, with repository and base model', async () => {
    const input = newAdapterVersion('org/first', base, {
      description: 'Ünïcode "quotes" \\ 🎈',
      tags: ['a,b', '{c}', ''],
      examplesDigest: digestOf('e'),
    });
    const added = await registry.addAdapterVersion(input);
    assert.equal(added.created, true);
    const found = await registry.getAdapterVersion(parseRepoName('org/first'));
    const { name, baseModel, ...content } = input;
    for (const version of [added.version, found]) {
      const { id, repositoryId, repository, versionKey, createdAt, ...rest } = version;
      assert.deepEqual(rest, { ...content, version: '1.0.0', isLatest: true });
      assert.equal(repository.fullName, name);
      assert.equal(repository.baseModel.id, baseModel.id);
      assert.equal(repositoryId, repository.id);
      assert.ok(id.length === 36 && versionKey.endsWith('~') && createdAt instanceof Date);
    }
    assert.equal(found.id, added.version.id);
  });

  it('finds the same content again, numbered or not', async () => {
    for (const version of [{}, { version: '1.0.0' }]) {
      const { created, version: found } = await registry.addAdapterVersion(newAdapterVersion('org/first', base, version));
      assert.deepEqual([created, found.version, found.repository.fullName], [false, '1.0.0', 'org/first']);
    }
  });

  it('numbers new content by the next minor version, and never changes a version', async () => {
    const other = { digest: digestOf('other content') };
    await assert.rejects(
      registry.addAdapterVersion(newAdapterVersion('org/first', base, { ...other, version: '1.0.0' })),
      hasCode('VERSION_EXISTS', 'org/first@1.0.0'),
    );
    const { version } = await registry.addAdapterVersion(newAdapterVersion('org/first', base, other));
    assert.equal(version.version, '1.1.0');
    assert.equal(
      (await registry.getAdapterVersion(parseRepoName('org/first'), parseVersion('1.0.0'))).digest,
      digestOf('content of org/first'),
    );
  });

  it('means the highest release by a bare name, or the highest pre-release while there is none', async () => {
    const name = parseRepoName('org/latest');
    const steps = [
      ['1.0.0-rc.1', '1.0.0-rc.1'],
      ['1.0.0-rc.2', '1.0.0-rc.2'],
      ['1.0.0-beta', '1.0.0-rc.2'],
      ['0.9.0', '0.9.0'],
      ['2.0.0-alpha', '0.9.0'],
      ['0.10.0', '0.10.0'],
      ['0.9.9', '0.10.0'],
    ] as const;
    for (const [version, latest] of steps) {
      await registry.addAdapterVersion(newAdapterVersion(name, base, { version, digest: digestOf(version) }));
      assert.equal((await registry.getAdapterVersion(name)).version, latest, `after ${version}`);
    }
    const listed = await registry.listAdapterVersions(name);
    assert.deepEqual(
      listed.map(({ version }) => version),
      ['2.0.0-alpha', '1.0.0-rc.2', '1.0.0-rc.1', '1.0.0-beta', '0.10.0', '0.9.9', '0.9.0'],
    );
    assert.deepEqual(
      listed.filter(({ isLatest }) => isLatest).map(({ version }) => version),
      ['0.10.0'],
    );
  });

  it('lets a name mean one thing', async () => {
    await assert.rejects(registry.addAdapterVersion(newAdapterVersion('org/base', base)), hasCode('NAME_TAKEN', 'a base model'));
    await assert.rejects(registry.addCompositionVersion(newCompositionVersion('org/first', base)), hasCode('NAME_TAKEN', 'an adapter'));
    await assert.rejects(registry.addBaseModel(newBaseModel('org/first')), hasCode('NAME_TAKEN', 'an adapter'));
    assert.equal((await registry.findRepository(parseRepoName('org/base')))?.kind, undefined);
  });

  it('keeps a repository to its base model', async () => {
    const other = await registry.getBaseModel(parseRepoName('org/alias'));
    await assert.rejects(
      registry.addAdapterVersion(newAdapterVersion('org/first', other, { version: '9.0.0' })),
      hasCode('BASE_MODEL_MISMATCH', 'org/base', 'org/alias'),
    );
  });

  it('leaves nothing of a refused version behind', async () => {
    // rank 0 breaks a constraint of the table, at the very end of the transaction.
    await assert.rejects(registry.addAdapterVersion(newAdapterVersion('org/refused', base, { rank: 0 })));
    assert.equal(await registry.findRepository(parseRepoName('org/refused')), undefined);
    await registry.addBaseModel(newBaseModel('org/refused'));
  });

  it('says which versions and adapters there are when one is unknown', async () => {
    await assert.rejects(
      registry.getAdapterVersion(parseRepoName('org/first'), parseVersion('7.0.0')),
      hasCode('UNKNOWN_VERSION', '1.1.0, 1.0.0'),
    );
    await assert.rejects(registry.getAdapterVersion(parseRepoName('org/frist')), hasCode('UNKNOWN_ADAPTER', 'Did you mean org/first'));
    await assert.rejects(registry.getAdapterVersion(parseRepoName('zz/qqqqqqqqqq')), hasCode('UNKNOWN_ADAPTER', 'braid list'));
  });

  it('keeps compositions with their recipe and report', async () => {
    const input = newCompositionVersion('org/mix', base);
    const added = await registry.addCompositionVersion(input);
    const found = await registry.getCompositionVersion(parseRepoName('org/mix'));
    for (const row of [added.version, found]) {
      assert.deepEqual([row.parts, row.recipe, row.report, row.version], [input.parts, input.recipe, input.report, '1.0.0']);
    }
    assert.equal(
      (await registry.addCompositionVersion({ ...input, report: { loss: 0.4 } })).created,
      false,
      'the report is no part of the identity',
    );
    const next = await registry.addCompositionVersion({ ...input, recipe: { seed: 2 } });
    assert.deepEqual([next.created, next.version.version], [true, '1.1.0']);
    await assert.rejects(registry.getCompositionVersion(parseRepoName('org/first')), hasCode('UNKNOWN_COMPOSITION'));
    await assert.rejects(registry.getAdapterVersion(parseRepoName('org/mix')), hasCode('UNKNOWN_ADAPTER'));
  });

  it('keeps what a composition puts in front of requests, whatever its texts hold, and lists its size', async () => {
    const prompt = { examples: [{ prompt: 'a \0 \ud800', completion: 'b' }], tokens: 12 };
    const plain = newCompositionVersion('org/prompted', base);
    assert.equal((await registry.addCompositionVersion(plain)).version.prompt, null);
    const sizeOf = async () =>
      (await registry.listLatestVersions({ kind: 'composition', limit: 100 })).find(
        ({ repository }) => repository.fullName === 'org/prompted',
      )?.prompt;
    assert.equal(await sizeOf(), null);
    const next = await registry.addCompositionVersion({ ...plain, prompt });
    assert.deepEqual([next.created, next.version.version], [true, '1.1.0'], 'the prompt is part of the identity');
    const found = await registry.getCompositionVersion(parseRepoName('org/prompted'));
    assert.deepEqual(promptOfVersion(found), prompt);
    assert.deepEqual(await sizeOf(), { examples: 1, tokens: 12 });
    const broken = { ...prompt, tokens: 0 };
    await assert.rejects(registry.addCompositionVersion({ ...plain, prompt: broken }), /composition_versions_prompt_tokens_positive/);
  });

  it('resolves what a request may call a model', async () => {
    const kinds: Record<string, string> = {};
    for (const name of ['org/base', 'org/first', 'org/first@1.0.0', 'org/mix', 'org/mix@1.0.0']) {
      const resolved = await registry.resolve(parseVersionedName(name));
      assert.equal(resolved.baseModel.id, base.id);
      kinds[name] = resolved.kind === 'base' ? 'base' : `${resolved.kind} ${resolved.version.version}`;
    }
    assert.deepEqual(kinds, {
      'org/base': 'base',
      'org/first': 'adapter 1.1.0',
      'org/first@1.0.0': 'adapter 1.0.0',
      'org/mix': 'composition 1.1.0',
      'org/mix@1.0.0': 'composition 1.0.0',
    });
    await assert.rejects(registry.resolve(parseVersionedName('org/nothing')), hasCode('UNKNOWN_MODEL'));
    await assert.rejects(registry.resolve(parseVersionedName('org/first@3.0.0')), hasCode('UNKNOWN_VERSION'));
    await assert.rejects(registry.resolve(parseVersionedName('org/base@1.0.0')), hasCode('VERSION_OF_BASE_MODEL'));
  });

  it('lists repositories by name, in pages, by kind and base model', async () => {
    for (const name of ['list/B', 'list/a', 'list/Z-1', 'list/_x']) await registry.addAdapterVersion(newAdapterVersion(name, base));
    const names = async (listing: Parameters<RegistryService['listRepositories']>[0]): Promise<string[]> =>
      (await registry.listRepositories(listing)).map(({ fullName }) => fullName);
    const all = await names({ limit: 1000 });
    assert.deepEqual(all, [...all].sort(), 'by code point');
    assert.deepEqual(await names({ limit: 1000, kind: 'composition' }), ['org/mix', 'org/prompted']);
    assert.deepEqual(await names({ limit: 1000, baseModel: parseRepoName('org/alias') }), []);
    const paged: string[] = [];
    for (let page = await names({ limit: 2 }); page.length > 0; page = await names({ limit: 2, after: paged.at(-1) })) paged.push(...page);
    assert.deepEqual(paged, all);
  });

  it('finds every version with a digest', async () => {
    await registry.addAdapterVersion(newAdapterVersion('copy/of-first', base, { digest: digestOf('content of org/first') }));
    const found = await registry.listAdapterVersionsByDigest(digestOf('content of org/first'));
    assert.deepEqual(found.map(({ repository }) => repository.fullName).sort(), ['copy/of-first', 'org/first']);
    assert.equal(found[0]?.repository.baseModel.id, base.id);
  });

  it('lets one of several publishers of the same content create it, and tells the others that it is there', async () => {
    for (const version of [undefined, '1.0.0']) {
      const name = `race/same-${version ?? 'unnumbered'}`;
      const input = newAdapterVersion(name, base, version === undefined ? {} : { version });
      const added = await Promise.all(Array.from({ length: 8 }, () => registry.addAdapterVersion(input)));
      assert.equal(added.filter(({ created }) => created).length, 1);
      assert.equal(new Set(added.map(({ version: row }) => row.id)).size, 1);
    }
  });

  it('lets one of several publishers of a version win, and refuses other content', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        registry.addAdapterVersion(newAdapterVersion('race/other', base, { version: '1.0.0', digest: digestOf(`${i}`) })),
      ),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(hasCode('VERSION_EXISTS')(outcome.reason));
  });

  it('numbers racing versions one after the other', async () => {
    const added = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        registry.addAdapterVersion(newAdapterVersion('race/numbers', base, { digest: digestOf(`n${i}`) })),
      ),
    );
    assert.deepEqual(added.map(({ version }) => version.version).sort(), ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0', '1.5.0']);
    assert.equal((await registry.getAdapterVersion(parseRepoName('race/numbers'))).version, '1.5.0');
  });

  it('gives a name to one of an adapter, a composition and a base model that race for it', async () => {
    const outcomes = await Promise.allSettled([
      registry.addAdapterVersion(newAdapterVersion('race/name', base)),
      registry.addCompositionVersion(newCompositionVersion('race/name', base)),
      registry.addBaseModel(newBaseModel('race/name')),
    ]);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(hasCode('NAME_TAKEN')(outcome.reason));
  });

  it('never leaves two latest versions, or none', async () => {
    for (const table of ['adapter_versions', 'composition_versions']) {
      const wrong = await dataSource.query<unknown[]>(
        `SELECT repository_id FROM ${table} GROUP BY repository_id HAVING count(*) FILTER (WHERE is_latest) <> 1`,
      );
      assert.deepEqual(wrong, []);
    }
  });
});
