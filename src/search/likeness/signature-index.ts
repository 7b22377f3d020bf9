// What is asked of an index over signatures. Two keep it: an exact scan everywhere, pgvector's HNSW where PostgreSQL has the extension.
import { type Digest, type RepoName, type RowId, type Version } from '#src/ids/ids.js';

export interface NeighbourQuery {
  readonly baseModelId: RowId;
  /** Only signatures of this method are comparable. */
  readonly method: Digest;
  /** Unit length, or zero. */
  readonly vector: Float32Array;
  readonly limit: number;
}

/** A latest adapter version with its signature. */
export interface Neighbour {
  readonly name: RepoName;
  readonly version: Version;
  readonly digest: Digest;
  /** Cosine with the query, −1…1. */
  readonly similarity: number;
  readonly vector: Float32Array;
}

export interface Neighbours {
  /** Signatures that were compared, or that stood in the index. */
  readonly considered: number;
  /** Most alike first, at most `limit`; equally alike ones by name. */
  readonly nearest: readonly Neighbour[];
}

export interface SignatureIndex {
  readonly kind: 'exact' | 'pgvector';
  findNearest(query: NeighbourQuery): Promise<Neighbours>;
}

/** The order of neighbours. */
export function compareNeighbours(a: Neighbour, b: Neighbour): number {
  return b.similarity - a.similarity || (a.name < b.name ? -1 : 1);
}

/** The latest versions with a signature: base model, then method. */
export const LATEST_SIGNATURES = `
  FROM adapter_signatures s JOIN adapter_versions v ON v.id = s.adapter_version_id JOIN repositories r ON r.id = v.repository_id
  WHERE s.base_model_id = $1 AND s.method = $2 AND v.is_latest`;
