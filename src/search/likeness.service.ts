// Finds adapters by what their task looks like to the base model. Reads signatures; those that are missing are computed first.
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { decodeFloat32 } from '../database/columns.js';
import { type Digest, type RepoName, type Version } from '../ids/ids.js';
import { type BaseModel } from '../registry/base-model.entity.js';
import { SIGNATURE_METHOD } from '../signatures/signature-method.js';
import { dotProduct } from '../signatures/signature-vector.js';
import { SignaturesService } from '../signatures/signatures.service.js';
import { ExactIndex } from './likeness/exact-index.js';
import { PgvectorIndex } from './likeness/pgvector-index.js';
import { compareNeighbours, LATEST_SIGNATURES, type Neighbour, type Neighbours, type SignatureIndex } from './likeness/signature-index.js';

@Injectable()
export class LikenessService {
  private readonly logger = new Logger('search');
  private index: Promise<SignatureIndex> | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly signatures: SignaturesService,
  ) {}

  /**
   * The latest adapter versions on the base model whose signatures are most like the vector.
   * @throws BraidError of tokenizer.errors.ts and runtime.errors.ts, when signatures have to be computed first
   */
  async findNearest(baseModel: BaseModel, vector: Float32Array, limit: number): Promise<Neighbours & Pick<SignatureIndex, 'kind'>> {
    await this.signatures.fill(baseModel);
    const index = await this.getIndex();
    return { ...(await index.findNearest({ baseModelId: baseModel.id, method: SIGNATURE_METHOD, vector, limit })), kind: index.kind };
  }

  /** The named adapters, most alike first; those on other base models or without a signature are left out. */
  async compare(baseModel: BaseModel, vector: Float32Array, names: readonly RepoName[]): Promise<Neighbour[]> {
    await this.signatures.fill(baseModel);
    const rows = await this.dataSource.query<{ name: RepoName; version: Version; digest: Digest; vector: Uint8Array }[]>(
      `SELECT r.full_name AS name, v.version, v.digest, s.vector ${LATEST_SIGNATURES} AND r.full_name = ANY($3::text[])`,
      [baseModel.id, SIGNATURE_METHOD, names],
    );
    return rows
      .map(({ vector: bytes, ...row }) => {
        const found = decodeFloat32(bytes);
        return { ...row, vector: found, similarity: dotProduct(vector, found) };
      })
      .sort(compareNeighbours);
  }

  private getIndex(): Promise<SignatureIndex> {
    this.index ??= this.openIndex().catch((error: unknown) => {
      this.index = undefined;
      throw error;
    });
    return this.index;
  }

  private async openIndex(): Promise<SignatureIndex> {
    const index = (await PgvectorIndex.open(this.dataSource)) ?? new ExactIndex(this.dataSource);
    this.logger.log(index.kind === 'pgvector' ? 'likeness by pgvector' : 'likeness by an exact scan: the database has no pgvector ≥ 0.8');
    return index;
  }
}
