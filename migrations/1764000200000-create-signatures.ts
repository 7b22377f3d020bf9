// What each adapter version's task looks like to its base model. Rows can be computed again at any time: `method` says by which rules.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class CreateSignatures1764000200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // float4, little-endian, one after another: half the size of real[] on the wire, and read without parsing a number.
    await runner.query(`
      CREATE TABLE adapter_signatures (
        adapter_version_id uuid
          CONSTRAINT adapter_signatures_pk PRIMARY KEY
          CONSTRAINT adapter_signatures_version_fk REFERENCES adapter_versions (id) ON DELETE CASCADE,
        base_model_id uuid NOT NULL CONSTRAINT adapter_signatures_base_model_fk REFERENCES base_models (id),
        method text NOT NULL,
        source text NOT NULL CONSTRAINT adapter_signatures_source_known CHECK (source IN ('examples', 'card')),
        texts integer NOT NULL CONSTRAINT adapter_signatures_texts_positive CHECK (texts > 0),
        dimensions integer NOT NULL,
        vector bytea NOT NULL CONSTRAINT adapter_signatures_vector_whole CHECK (octet_length(vector) = 4 * dimensions),
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE INDEX adapter_signatures_base_model ON adapter_signatures (base_model_id, method)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE adapter_signatures');
  }
}
