// Which adapters a request offers: named, found or all; and what is refused.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CandidateSource, chooseCandidates } from '#src/compose/choose-candidates.js';
import type { RetrieveReport } from '#src/compose/stages/retrieve.js';
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

const REPORT: RetrieveReport = { method: 'likeness', index: 'exact', considered: 0, kept: 0, candidates: [], seconds: 0 };

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
    retrieve: ({ query, limit }) => {
      const found = names.filter((name) => query === undefined || name.includes(query)).slice(-limit);
      const adapters = found.map((adapter) => ({ adapter, version: undefined, digest: undefined, similarity: 0.5, textRank: null }));
      return Promise.resolve({ adapters, report: { ...REPORT, considered: names.length, kept: found.length } });
    },
  };
}

const rows = [published('me/first', '1.0.0', base), published('me/first', '2.0.0', base), published('me/upper', '1.0.0', base)];
const code = (expected: string) => (error: unknown) => error instanceof BraidError && error.code === expected;

describe('chooseCandidates', () => {
  it('named: the version asked for or the latest, in the order given', async () => {
    const chosen = await chooseCandidates({ adapters: ['me/upper', 'me/first@1.0.0'] }, base, source(rows));
    assert.equal(chosen.retrieval, undefined);
    assert.deepEqual(chosen.candidates, [
      { adapter: 'me/upper', version: '1.0.0', digest: rows[2]?.digest },
      { adapter: 'me/first', version: '1.0.0', digest: rows[0]?.digest },
    ]);
  });

  it('by query, best first and at most top; without both, all on the base while they are few', async () => {
    const found = await chooseCandidates({ query: 'first', top: 1 }, base, source(rows));
    assert.deepEqual(
      found.candidates.map(({ adapter, version }) => `${adapter}@${version}`),
      ['me/first@2.0.0'],
    );
    assert.equal(found.retrieval?.kept, 1);
    const all = await chooseCandidates({}, base, source(rows));
    assert.deepEqual([all.candidates.length, all.retrieval], [2, undefined]);
  });

  it('what retrieval finds where there are more than top, or than 32', async () => {
    const many = Array.from({ length: 33 }, (_, i) => published(`me/a${String(i).padStart(2, '0')}`, '1.0.0', base));
    const found = await chooseCandidates({}, base, source(many));
    assert.deepEqual([found.candidates.length, found.candidates[0]?.adapter], [32, 'me/a01']);
    assert.deepEqual([found.retrieval?.considered, found.retrieval?.kept], [33, 32]);
    assert.equal((await chooseCandidates({}, base, source(many.slice(1)))).retrieval, undefined);
    const few = await chooseCandidates({ top: 3 }, base, source(many));
    assert.deepEqual(
      few.candidates.map(({ adapter }) => adapter),
      ['me/a30', 'me/a31', 'me/a32'],
    );
  });

  it('two copies of one adapter are one candidate', async () => {
    const digest = digestOf('same');
    const copies = [published('me/a', '1.0.0', base, digest), published('me/b', '1.0.0', base, digest)];
    assert.deepEqual(
      (await chooseCandidates({ adapters: ['me/b', 'me/a'] }, base, source(copies))).candidates.map(({ adapter }) => adapter),
      ['me/b'],
    );
  });

  it('refuses both ways at once, repeats, another base, none and unknown ones', async () => {
    const of = (request: Parameters<typeof chooseCandidates>[0], on = rows) => chooseCandidates(request, base, source(on));
    await assert.rejects(of({ adapters: ['me/first'], query: 'x' }), code('ADAPTERS_OR_QUERY'));
    await assert.rejects(of({ adapters: ['me/first'], top: 3 }), code('ADAPTERS_OR_QUERY'));
    await assert.rejects(of({ adapters: ['me/first', 'me/first@1.0.0'] }), code('CANDIDATE_REPEATED'));
    await assert.rejects(of({ adapters: ['me/lost'] }), code('UNKNOWN_ADAPTER'));
    await assert.rejects(of({ adapters: ['me/lost'] }, [published('me/lost', '1.0.0', other)]), code('ADAPTER_ON_OTHER_BASE'));
    await assert.rejects(of({ query: 'nothing' }), code('NO_CANDIDATES'));
    await assert.rejects(of({}, []), code('NO_CANDIDATES'));
  });
});
