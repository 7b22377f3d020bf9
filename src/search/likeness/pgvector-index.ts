// Approximate neighbours by pgvector's HNSW graphs, one per base model and method. Its table is derived from the signatures and brought up to
// date before it is asked; it can be dropped at any time.
import { type DataSource, type EntityManager } from 'typeorm';
import { decodeFloat32 } from '#src/database/columns.js';
import { type Digest, digestOf, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import { compareNeighbours, LATEST_SIGNATURES, type NeighbourQuery, type Neighbours, type SignatureIndex } from './signature-index.js';

/** With iterative scans, which go on where a filter has left too few rows. */
export const LEAST_PGVECTOR = [0, 8] as const;
// What HNSW takes; longer vectors are compared one by one.
const MOST_VECTOR_DIMENSIONS = 2_000;
const MOST_HALFVEC_DIMENSIONS = 4_000;
const MOST_SEARCHED = 1_000;
const COPY_ROWS = 500;
// Transaction-level advisory lock under which the table and its graphs are made: "brvec" in ASCII.
const INDEX_LOCK = 0x62_7276_6563;

interface NeighbourRow {
  readonly name: RepoName;
  readonly version: Version;
  readonly digest: Digest;
  readonly similarity: number;
  readonly vector: Uint8Array;
}

export class PgvectorIndex implements SignatureIndex {
  readonly kind = 'pgvector';

  private constructor(private readonly dataSource: DataSource) {}

  /** The index, or undefined where the server has no pgvector, an old one, or none that this user may set up. */
  static async open(dataSource: DataSource): Promise<PgvectorIndex | undefined> {
    const [available] = await dataSource.query<{ version: string }[]>(
      `SELECT coalesce(installed_version, default_version) AS version FROM pg_available_extensions WHERE name = 'vector'`,
    );
    const [major = 0, minor = 0] = (available?.version ?? '').split('.').map(Number);
    const [leastMajor, leastMinor] = LEAST_PGVECTOR;
    if (major < leastMajor || (major === leastMajor && minor < leastMinor)) return undefined;
    try {
      await underLock(dataSource, async (manager) => {
        await manager.query('CREATE EXTENSION IF NOT EXISTS vector');
        await manager.query(`
          CREATE TABLE IF NOT EXISTS adapter_signature_vectors (
            adapter_version_id uuid CONSTRAINT adapter_signature_vectors_pk PRIMARY KEY
              CONSTRAINT adapter_signature_vectors_signature_fk REFERENCES adapter_signatures (adapter_version_id) ON DELETE CASCADE,
            base_model_id uuid NOT NULL,
            method text NOT NULL,
            vector vector NOT NULL
          )`);
      });
    } catch (error) {
      // 42501: only a superuser may create the extension here.
      if ((error as { code?: unknown }).code === '42501') return undefined;
      throw error;
    }
    return new PgvectorIndex(dataSource);
  }

  async findNearest({ baseModelId, method, vector, limit }: NeighbourQuery): Promise<Neighbours> {
    await this.copyMissing(baseModelId, method);
    await this.ensureGraph(baseModelId, method, vector.length);
    const type = columnType(vector.length);
    const rows = await this.dataSource.transaction(async (manager) => {
      await manager.query(`SET LOCAL hnsw.ef_search = ${Math.min(MOST_SEARCHED, Math.max(40, limit))}`);
      await manager.query('SET LOCAL hnsw.iterative_scan = strict_order');
      return manager.query<NeighbourRow[]>(
        `SELECT r.full_name AS name, v.version, v.digest, 1 - (x.vector::${type} <=> $3::${type}) AS similarity, s.vector
         FROM adapter_signature_vectors x
         JOIN adapter_signatures s ON s.adapter_version_id = x.adapter_version_id
         JOIN adapter_versions v ON v.id = x.adapter_version_id
         JOIN repositories r ON r.id = v.repository_id
         WHERE x.base_model_id = $1 AND x.method = $2 AND v.is_latest
         ORDER BY x.vector::${type} <=> $3::${type} LIMIT $4`,
        [baseModelId, method, toText(vector), limit],
      );
    });
    const [counted] = await this.dataSource.query<{ count: number }[]>(`SELECT count(*)::int AS count ${LATEST_SIGNATURES}`, [
      baseModelId,
      method,
    ]);
    const nearest = rows.map((row) => ({ ...row, vector: decodeFloat32(row.vector) }));
    return { considered: counted?.count ?? 0, nearest: nearest.sort(compareNeighbours) };
  }

  private async copyMissing(baseModelId: RowId, method: Digest): Promise<void> {
    for (;;) {
      const rows = await this.dataSource.query<{ id: RowId; vector: Uint8Array }[]>(
        `SELECT s.adapter_version_id AS id, s.vector FROM adapter_signatures s
         LEFT JOIN adapter_signature_vectors x ON x.adapter_version_id = s.adapter_version_id AND x.method = s.method
         WHERE s.base_model_id = $1 AND s.method = $2 AND x.adapter_version_id IS NULL LIMIT $3`,
        [baseModelId, method, COPY_ROWS],
      );
      if (rows.length === 0) return;
      // A signature that is gone meanwhile is left out rather than breaking the reference to it.
      await this.dataSource.query(
        `INSERT INTO adapter_signature_vectors (adapter_version_id, base_model_id, method, vector)
         SELECT s.adapter_version_id, s.base_model_id, s.method, copied.vector::vector
         FROM unnest($1::uuid[], $2::text[]) AS copied (id, vector)
         JOIN adapter_signatures s ON s.adapter_version_id = copied.id AND s.method = $3
         ON CONFLICT (adapter_version_id) DO UPDATE SET method = excluded.method, vector = excluded.vector`,
        [rows.map(({ id }) => id), rows.map(({ vector }) => toText(decodeFloat32(vector))), method],
      );
    }
  }

  private async ensureGraph(baseModelId: RowId, method: Digest, dimensions: number): Promise<void> {
    if (dimensions > MOST_HALFVEC_DIMENSIONS) return;
    const name = `adapter_signature_vectors_${digestOf(`${baseModelId} ${method}`).slice(-16)}`;
    const [known] = await this.dataSource.query<unknown[]>('SELECT 1 FROM pg_class WHERE relname = $1', [name]);
    if (known !== undefined) return;
    const type = columnType(dimensions);
    await underLock(this.dataSource, async (manager) => {
      // The statement takes no parameters; both values are of forms that hold no quote, and quoted all the same.
      const [literal] = await manager.query<{ base: string; method: string }[]>(
        'SELECT quote_literal($1::text) AS base, quote_literal($2::text) AS method',
        [baseModelId, method],
      );
      if (literal === undefined) return;
      await manager.query(
        `CREATE INDEX IF NOT EXISTS ${name} ON adapter_signature_vectors
         USING hnsw ((vector::${type}) ${type.startsWith('half') ? 'halfvec' : 'vector'}_cosine_ops)
         WHERE base_model_id = ${literal.base}::uuid AND method = ${literal.method}`,
      );
    });
  }
}

function columnType(dimensions: number): string {
  return dimensions > MOST_VECTOR_DIMENSIONS && dimensions <= MOST_HALFVEC_DIMENSIONS ? `halfvec(${dimensions})` : `vector(${dimensions})`;
}

function toText(vector: Float32Array): string {
  return `[${vector.join(',')}]`;
}

function underLock(dataSource: DataSource, work: (manager: EntityManager) => Promise<void>): Promise<void> {
  return dataSource.transaction(async (manager) => {
    await manager.query('SELECT pg_advisory_xact_lock($1)', [INDEX_LOCK]);
    await work(manager);
  });
}
