// The indexes over signatures, one suite for both: the exact scan on every home, pgvector where the home's PostgreSQL has it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type DataSource } from 'typeorm';
import { openDataSource } from '#src/database/open-data-source.js';
import { digestOf, parseRepoName, parseVersion, type RowId } from '#src/ids/ids.js';
import { AdapterSignature } from '#src/registry/adapter-signature.entity.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { Repository } from '#src/registry/repository.entity.js';
import { SignatureStore } from '#src/registry/signature-store.js';
import { ExactIndex } from '#src/search/likeness/exact-index.js';
import { PgvectorIndex } from '#src/search/likeness/pgvector-index.js';
import type { SignatureIndex } from '#src/search/likeness/signature-index.js';
import { dotProduct } from '#src/signatures/signature-vector.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { newAdapterVersion, newBaseModel } from '#test/fixtures/registry-rows.js';

const ADAPTERS = 120;
const DIMENSIONS = 48;
const METHOD = digestOf('method');
const OTHER_METHOD = digestOf('another method');

const INDEXES: Record<SignatureIndex['kind'], (dataSource: DataSource) => Promise<SignatureIndex | undefined>> = {
  exact: (dataSource) => Promise.resolve(new ExactIndex(dataSource)),
  pgvector: (dataSource) => PgvectorIndex.open(dataSource),
};

describeOnHomes('likeness', (home) => {
  for (const [kind, open] of Object.entries(INDEXES)) {
    describe(kind, () => {
      let dataSource: DataSource;
      let index: SignatureIndex | undefined;
      let registry: RegistryService;
      let store: SignatureStore;
      let base: BaseModel;
      const vectors = new Map<string, Float32Array>();
      const random = SeededRandom.fromSeed(5);

      function createVector(): Float32Array {
        const values = Array.from({ length: DIMENSIONS }, () => random.gaussian());
        const length = Math.hypot(...values);
        return Float32Array.from(values, (value) => value / length);
      }

      async function publish(name: string, on: BaseModel, options: { version?: string; method?: typeof METHOD } = {}): Promise<RowId> {
        const { version = '1.0.0', method = METHOD } = options;
        const added = await registry.addAdapterVersion(newAdapterVersion(name, on, { version, digest: digestOf(name, version, kind) }));
        const vector = createVector();
        await store.put(added.version, on.id, { method, source: 'examples', texts: 5, vector });
        if (on === base && method === METHOD) vectors.set(name, vector);
        return added.version.id;
      }

      /** What brute force says. */
      function expected(vector: Float32Array, limit: number): string[] {
        return [...vectors]
          .map(([name, other]) => ({ name, similarity: dotProduct(vector, other) }))
          .sort((a, b) => b.similarity - a.similarity)
          .slice(0, limit)
          .map(({ name }) => name);
      }

      async function find(vector: Float32Array, limit: number) {
        assert.ok(index !== undefined);
        return index.findNearest({ baseModelId: base.id, method: METHOD, vector, limit });
      }

      before(async () => {
        const entities = [BaseModel, Repository, AdapterVersion, AdapterSignature, CompositionVersion];
        dataSource = await openDataSource(home.configuration, entities);
        index = await open(dataSource);
        registry = new RegistryService(dataSource);
        store = new SignatureStore(dataSource);
        base = await registry.addBaseModel(newBaseModel(`${kind}/base`));
        const other = await registry.addBaseModel(newBaseModel(`${kind}/other`));
        for (let i = 0; i < ADAPTERS; i++) await publish(`${kind}/a${i}`, base);
        await publish(`${kind}/elsewhere`, other);
        await publish(`${kind}/otherwise`, base, { method: OTHER_METHOD });
      });
      after(() => dataSource.destroy());

      it('finds the most alike, best first', async (t) => {
        if (index === undefined) return t.skip('this PostgreSQL has no pgvector ≥ 0.8 that this user may set up');
        for (let i = 0; i < 5; i++) {
          const vector = createVector();
          const { considered, nearest } = await find(vector, 10);
          assert.equal(considered, ADAPTERS);
          assert.deepEqual(
            nearest.map(({ name }) => name as string),
            expected(vector, 10),
          );
          for (const { name, similarity, vector: found, version } of nearest) {
            assert.ok(Math.abs(similarity - dotProduct(vector, found)) < 1e-5);
            assert.deepEqual(found, vectors.get(name));
            assert.equal(version, '1.0.0');
          }
        }
        assert.equal((await find(createVector(), 1_000)).nearest.length, ADAPTERS);
      });

      it('sees what is published, published anew, or signed anew after it was first asked', async (t) => {
        if (index === undefined) return t.skip('this PostgreSQL has no pgvector ≥ 0.8 that this user may set up');
        await publish(`${kind}/late`, base);
        const old = vectors.get(`${kind}/a7`) ?? createVector();
        await publish(`${kind}/a7`, base, { version: '2.0.0' });
        for (const name of [`${kind}/late`, `${kind}/a7`]) {
          const { nearest, considered } = await find(vectors.get(name) ?? createVector(), 1);
          assert.equal(considered, ADAPTERS + 1);
          assert.equal(nearest[0]?.name, name);
          assert.ok(nearest[0].similarity > 0.9999);
        }
        assert.notEqual((await find(old, 1)).nearest[0]?.name, `${kind}/a7`, 'the old version is not the latest any more');

        const { id } = await registry.getAdapterVersion(parseRepoName(`${kind}/otherwise`), parseVersion('1.0.0'));
        const vector = createVector();
        await store.put({ id }, base.id, { method: METHOD, source: 'card', texts: 1, vector });
        assert.equal((await find(vector, 1)).nearest[0]?.name, `${kind}/otherwise`);
      });

      it('finds nothing where there is nothing', async (t) => {
        if (index === undefined) return t.skip('this PostgreSQL has no pgvector ≥ 0.8 that this user may set up');
        const query = { baseModelId: base.id, method: digestOf('unused'), vector: createVector(), limit: 5 };
        assert.deepEqual(await index.findNearest(query), { considered: 0, nearest: [] });
      });
    });
  }
});
