// Both homes behave as one database: the same schema, types, errors and isolation.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type pg from 'pg';
import { type DataSource, QueryFailedError } from 'typeorm';
import { safeInteger } from '#src/database/columns.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { Repository } from '#src/registry/repository.entity.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const entities = [BaseModel, Repository, AdapterVersion, CompositionVersion];

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof QueryFailedError && (error.driverError as { code?: string }).code === code;
}

describeOnHomes('database', (home) => {
  let dataSource: DataSource;
  const rows = <T>(text: string, parameters?: unknown[]): Promise<T[]> => dataSource.query<T[]>(text, parameters);
  before(async () => {
    dataSource = await openDataSource(home.configuration, entities);
  });
  after(() => dataSource.destroy());

  it('has a schema that the entities agree with', async () => {
    for (const entity of entities) {
      const { tableName, columns } = dataSource.getMetadata(entity);
      const found = await rows<{ name: string; type: string; nullable: boolean }>(
        `SELECT column_name AS name, udt_name AS type, is_nullable = 'YES' AS nullable FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name = $1`,
        [tableName],
      );
      const short = new Map([
        ['bigint', 'int8'],
        ['integer', 'int4'],
        ['boolean', 'bool'],
        ['double precision', 'float8'],
      ]);
      for (const column of columns) {
        const type = short.get(String(column.type)) ?? String(column.type);
        const expected = { name: column.databaseName, type: column.isArray ? `_${type}` : type, nullable: column.isNullable };
        assert.deepEqual(
          found.find(({ name }) => name === column.databaseName),
          expected,
          `${tableName}.${column.databaseName}`,
        );
      }
    }
  });

  it('can take every migration back and apply it again', async () => {
    const { migrations } = dataSource;
    assert.ok(migrations.length > 0);
    for (let i = 0; i < migrations.length; i++) await dataSource.undoLastMigration({ transaction: 'all' });
    const left = await rows<{ name: string }>(`SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`);
    assert.deepEqual(
      left.map(({ name }) => name),
      ['migrations'],
    );
    assert.equal((await dataSource.runMigrations({ transaction: 'all' })).length, migrations.length);
    assert.deepEqual(await dataSource.runMigrations({ transaction: 'all' }), []);
  });

  it('reads every type that we store in the same way', async () => {
    const at = new Date('2026-02-03T04:05:06.789Z');
    const [row] = await rows<Record<string, unknown>>(
      `SELECT $1::bigint AS big, $2::jsonb AS json, $3::text[] AS list, $4::timestamptz AS at, $5::float8 AS double, $6::uuid AS id,
         $7::bool AS flag, NULL::text AS nothing, 7::int AS whole, $8::text AS text, $9::bytea AS bytes`,
      [
        9007199254740993n,
        { a: [1, 'x', null], ü: 0.1 },
        ['a', 'b,"{', '', 'ü\n'],
        at,
        0.1,
        '00000000-0000-4000-8000-000000000000',
        true,
        '日本 🎈',
        Buffer.from([0, 1, 255]),
      ],
    );
    assert.deepEqual(row, {
      big: '9007199254740993',
      json: { a: [1, 'x', null], ü: 0.1 },
      list: ['a', 'b,"{', '', 'ü\n'],
      at,
      double: 0.1,
      id: '00000000-0000-4000-8000-000000000000',
      flag: true,
      nothing: null,
      whole: 7,
      text: '日本 🎈',
      bytes: Buffer.from([0, 1, 255]),
    });
  });

  it('makes numbers of bigint columns, and refuses those that a number cannot hold', () => {
    const read = (value: unknown): unknown => (Array.isArray(safeInteger) ? undefined : safeInteger.from(value));
    assert.equal(read('9007199254740991'), 9007199254740991);
    assert.equal(read(null), null);
    assert.throws(() => read('9007199254740992'), RangeError);
  });

  it('searches words by their English stems', async () => {
    const [row] = await rows<{ hit: boolean }>(
      `SELECT to_tsvector('english', 'Translations of naïve texts') @@ websearch_to_tsquery('english', 'translate naïve') AS hit`,
    );
    assert.equal(row?.hit, true);
  });

  it('goes on after errors of every kind', async () => {
    await assert.rejects(rows('SELEC 1'), hasCode('42601'));
    await assert.rejects(rows('SELECT * FROM nowhere WHERE a = $1', [1]), hasCode('42P01'));
    await assert.rejects(rows('SELECT $1::int / 0', [1]), hasCode('22012'));
    await assert.rejects(rows('SELECT $1::int', ['x']), hasCode('22P02'));
    await assert.rejects(rows('SELECT $1::text', ['a\0b']), hasCode('22021'));
    assert.deepEqual(await rows('SELECT $1::int AS one', [1]), [{ one: 1 }]);
  });

  it('takes back a transaction that fails, and goes on', async () => {
    await rows('CREATE TABLE attempts (id int CONSTRAINT attempts_pk PRIMARY KEY)');
    await assert.rejects(
      dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO attempts VALUES (1)');
        await manager.query('INSERT INTO attempts VALUES (1)');
      }),
      hasCode('23505'),
    );
    await assert.rejects(
      dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO attempts VALUES (2)');
        throw new Error('changed my mind');
      }),
      /changed my mind/,
    );
    assert.deepEqual(await rows('SELECT * FROM attempts'), []);
    await rows('DROP TABLE attempts');
  });

  it('keeps concurrent transactions apart', async () => {
    await rows('CREATE TABLE counters (id int CONSTRAINT counters_pk PRIMARY KEY, n int NOT NULL)');
    await rows('INSERT INTO counters VALUES (1, 0)');
    const TRANSACTIONS = 30;
    await Promise.all(
      Array.from({ length: TRANSACTIONS }, (_, i) =>
        dataSource
          .transaction(async (manager) => {
            const [before] = await manager.query<{ n: number; tx: string }[]>(
              'SELECT n, txid_current() AS tx FROM counters WHERE id = 1 FOR UPDATE',
            );
            // Room for another transaction to slip in between, if one could.
            await new Promise((resolve) => setTimeout(resolve, 2));
            await manager.query('UPDATE counters SET n = $1 WHERE id = 1', [(before?.n ?? 0) + 1]);
            const [after] = await manager.query<{ tx: string }[]>('SELECT txid_current() AS tx');
            assert.equal(after?.tx, before?.tx, 'one transaction from first to last statement');
            if (i % 3 === 0) throw new Error('take it back');
          })
          .catch((error: Error) => assert.equal(error.message, 'take it back')),
      ),
    );
    assert.deepEqual(await rows('SELECT n FROM counters'), [{ n: TRANSACTIONS - TRANSACTIONS / 3 }]);
    await rows('DROP TABLE counters');
  });

  if (home.kind === 'server') {
    it('is migrated once by hubs that start together', async () => {
      for (const _ of dataSource.migrations) await dataSource.undoLastMigration({ transaction: 'all' });
      const hubs = await Promise.all(Array.from({ length: 4 }, () => openDataSource(home.configuration, entities)));
      await Promise.all(hubs.map((hub) => hub.destroy()));
      assert.equal((await rows('SELECT * FROM migrations')).length, dataSource.migrations.length);
    });

    it('goes on after the server has dropped every connection', async () => {
      await Promise.all(Array.from({ length: 5 }, () => rows('SELECT pg_sleep(0.05)')));
      const other = await openDataSource(home.configuration, []);
      await other.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      await other.destroy();
      // The pool learns of it by its sockets; a query in the same moment may still be given a dead one.
      const { master: pool } = dataSource.driver as unknown as { readonly master: pg.Pool };
      for (const deadline = performance.now() + 30_000; pool.totalCount > 0 && performance.now() < deadline;)
        await new Promise((resolve) => setTimeout(resolve, 10));
      assert.deepEqual(await rows('SELECT 1 AS one'), [{ one: 1 }]);
    });
  }

  it('carries parameters and results of several megabytes', async () => {
    const text = 'é'.repeat(4_000_000);
    const [row] = await rows<{ text: string }>('SELECT $1::text AS text', [text]);
    assert.equal(row?.text, text);
  });
});
