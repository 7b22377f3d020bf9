// The signatures of adapter versions: the only writer of their rows. A version whose signature is missing or of another method is told apart here.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type Digest, type RowId } from '../ids/ids.js';
import { AdapterSignature, type SignatureSource } from './adapter-signature.entity.js';
import { AdapterVersion } from './adapter-version.entity.js';

/** A signature as it was computed. */
export interface NewSignature {
  readonly method: Digest;
  readonly source: SignatureSource;
  readonly texts: number;
  /** Unit length. */
  readonly vector: Float32Array;
}

@Injectable()
export class SignatureStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Writes a version's signature, over one that is there. */
  async put(version: { readonly id: RowId }, baseModelId: RowId, { method, source, texts, vector }: NewSignature): Promise<void> {
    await this.dataSource.manager.upsert(
      AdapterSignature,
      { adapterVersionId: version.id, baseModelId, method, source, texts, dimensions: vector.length, vector },
      ['adapterVersionId'],
    );
  }

  /** The version's signature of this method. */
  async find(version: { readonly id: RowId }, method: Digest): Promise<AdapterSignature | undefined> {
    return (await this.dataSource.manager.findOneBy(AdapterSignature, { adapterVersionId: version.id, method })) ?? undefined;
  }

  /** Latest adapter versions on the base model that have no signature of this method, with their repositories, by id. */
  async listUnsigned(baseModelId: RowId, method: Digest, page: { limit: number; after: RowId | undefined }): Promise<AdapterVersion[]> {
    const query = this.dataSource.manager
      .createQueryBuilder(AdapterVersion, 'version')
      .innerJoinAndSelect('version.repository', 'repository')
      .leftJoin(AdapterSignature, 'signature', 'signature.adapterVersionId = version.id AND signature.method = :method', { method })
      .where('version.isLatest AND repository.baseModelId = :baseModelId AND signature.adapterVersionId IS NULL', { baseModelId })
      .orderBy('version.id', 'ASC')
      .limit(page.limit);
    if (page.after !== undefined) query.andWhere('version.id > :after', { after: page.after });
    return query.getMany();
  }
}
