// Compares a signature with every other one: exact, without any extension, some 20 ms for ten thousand once they are in memory.
import { type DataSource } from 'typeorm';
import { decodeFloat32 } from '#src/database/columns.js';
import { type Digest, type RepoName, type RowId, type Version } from '#src/ids/ids.js';
import { dotProduct } from '#src/signatures/signature-vector.js';
import {
  compareNeighbours,
  LATEST_SIGNATURES,
  type Neighbour,
  type NeighbourQuery,
  type Neighbours,
  type SignatureIndex,
} from './signature-index.js';

// 2 MB of vectors a page at 576 dimensions: little to hold, few round trips.
const PAGE_ROWS = 1_000;
// Some 100,000 signatures of 576 dimensions; beyond it vectors are read from the database again.
const MAX_KEPT_BYTES = 256 * 2 ** 20;

interface KeyRow {
  readonly id: RowId;
  readonly name: RepoName;
  readonly version: Version;
  readonly digest: Digest;
}

export class ExactIndex implements SignatureIndex {
  readonly kind = 'exact';
  /** Vectors by version and method, neither of which ever changes its vector. Which of them count is asked anew every time. */
  private readonly kept = new Map<string, Float32Array>();
  private keptBytes = 0;

  constructor(private readonly dataSource: DataSource) {}

  async findNearest({ baseModelId, method, vector, limit }: NeighbourQuery): Promise<Neighbours> {
    const sql = `SELECT s.adapter_version_id AS id, r.full_name AS name, v.version, v.digest ${LATEST_SIGNATURES}`;
    const keys = await this.dataSource.query<KeyRow[]>(sql, [baseModelId, method]);
    let nearest: Neighbour[] = [];
    for (let start = 0; start < keys.length; start += PAGE_ROWS) {
      const page = keys.slice(start, start + PAGE_ROWS);
      const vectors = await this.getVectors(page, method);
      const compared = page.flatMap(({ id, name, version, digest }): Neighbour[] => {
        const found = vectors.get(id);
        // A version may have lost its signature since its key was read.
        return found === undefined ? [] : [{ name, version, digest, similarity: dotProduct(vector, found), vector: found }];
      });
      nearest = [...nearest, ...compared].sort(compareNeighbours).slice(0, limit);
    }
    return { considered: keys.length, nearest };
  }

  private async getVectors(page: readonly KeyRow[], method: Digest): Promise<ReadonlyMap<RowId, Float32Array>> {
    const vectors = new Map<RowId, Float32Array>();
    const missing: RowId[] = [];
    for (const { id } of page) {
      const known = this.kept.get(`${id} ${method}`);
      if (known === undefined) missing.push(id);
      else vectors.set(id, known);
    }
    if (missing.length === 0) return vectors;
    const rows = await this.dataSource.query<{ id: RowId; vector: Uint8Array }[]>(
      'SELECT adapter_version_id AS id, vector FROM adapter_signatures WHERE method = $1 AND adapter_version_id = ANY($2::uuid[])',
      [method, missing],
    );
    for (const { id, vector: bytes } of rows) {
      const vector = decodeFloat32(bytes);
      vectors.set(id, vector);
      this.keep(`${id} ${method}`, vector);
    }
    return vectors;
  }

  private keep(key: string, vector: Float32Array): void {
    if (this.keptBytes + vector.byteLength > MAX_KEPT_BYTES) return;
    this.kept.set(key, vector);
    this.keptBytes += vector.byteLength;
  }
}
