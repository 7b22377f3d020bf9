// Which adapters a request offers: named, found or all; and what is refused.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CandidateSource, chooseCandidates } from '#src/compose/choose-candidates.js';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, type Digest, digestOf, parseRepoName, parseVersion, type Version } from '#src/ids/ids.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { Repository } from '#src/registry/repository.entity.js';

function baseModel(name: string): BaseModel {
  return Object.assign(new BaseModel(), { id: createRowId(), name: parseRepoName(name) });
}

const base = baseModel('org/base');
const other = baseModel('org/other');

function published(name: string, version: string, on: BaseModel, digest: Digest = digestOf(name, version)): AdapterVersion {
  const repository = Object.assign(new Repository(), { fullName: parseRepoName(name), baseModelId: on.id, baseModel: on });
  return Object.assign(new AdapterVersion(), { repository, version: parseVersion(version), digest });
}

function source(versions: readonly AdapterVersion[]): CandidateSource {
  const names = [...new Set(versions.map(({ repository }) => repository.fullName))];
  return {
    getAdapterVersion: (name, version?: Version) => {
      const found = versions.findLast((row) => row.repository.fullName === name && (version === undefined || row.version === version));
      return found === undefined
        ? Promise.reject(new BraidError('UNKNOWN_ADAPTER', { status: 404, message: name }))
        : Promise.resolve(found);
    },
    listAdapters: (wanted, limit) => Promise.resolve((wanted === base.name ? names : []).slice(0, limit)),
    findAdapters: (query, _base, limit) => Promise.resolve(names.filter((name) => name.includes(query)).slice(0, limit)),
  };
}

const rows = [published('me/first', '1.0.0', base), published('me/first', '2.0.0', base), published('me/upper', '1.0.0', base)];
const code = (expected: string) => (error: unknown) => error instanceof BraidError && error.code === expected;

describe('chooseCandidates', () => {
  it('named: the version asked for or the latest, in the order given', async () => {
    const chosen = await chooseCandidates({ adapters: ['me/upper', 'me/first@1.0.0'] }, base, source(rows));
    assert.deepEqual(chosen, [
      { adapter: 'me/upper', version: '1.0.0', digest: rows[2]?.digest },
      { adapter: 'me/first', version: '1.0.0', digest: rows[0]?.digest },
    ]);
  });

  it('by query, best first and at most top; without both, all on the base', async () => {
    const found = await chooseCandidates({ query: 'first', top: 1 }, base, source(rows));
    assert.deepEqual(
      found.map(({ adapter, version }) => `${adapter}@${version}`),
      ['me/first@2.0.0'],
    );
    assert.equal((await chooseCandidates({}, base, source(rows))).length, 2);
  });

  it('two copies of one adapter are one candidate', async () => {
    const digest = digestOf('same');
    const copies = [published('me/a', '1.0.0', base, digest), published('me/b', '1.0.0', base, digest)];
    assert.deepEqual(
      (await chooseCandidates({ adapters: ['me/b', 'me/a'] }, base, source(copies))).map(({ adapter }) => adapter),
      ['me/b'],
    );
  });

  it('refuses both ways at once, repeats, another base, none, unknown ones and more than 64', async () => {
    const of = (request: Parameters<typeof chooseCandidates>[0], on = rows) => chooseCandidates(request, base, source(on));
    await assert.rejects(of({ adapters: ['me/first'], query: 'x' }), code('ADAPTERS_OR_QUERY'));
    await assert.rejects(of({ adapters: ['me/first'], top: 3 }), code('ADAPTERS_OR_QUERY'));
    await assert.rejects(of({ top: 3 }), code('ADAPTERS_OR_QUERY'));
    await assert.rejects(of({ adapters: ['me/first', 'me/first@1.0.0'] }), code('CANDIDATE_REPEATED'));
    await assert.rejects(of({ adapters: ['me/lost'] }), code('UNKNOWN_ADAPTER'));
    await assert.rejects(of({ adapters: ['me/lost'] }, [published('me/lost', '1.0.0', other)]), code('ADAPTER_ON_OTHER_BASE'));
    await assert.rejects(of({ query: 'nothing' }), code('NO_CANDIDATES'));
    await assert.rejects(of({}, []), code('NO_CANDIDATES'));
    const many = Array.from({ length: 65 }, (_, i) => published(`me/a${i}`, '1.0.0', base));
    await assert.rejects(of({}, many), code('TOO_MANY_CANDIDATES'));
    assert.equal((await of({}, many.slice(1))).length, 64);
  });
});
