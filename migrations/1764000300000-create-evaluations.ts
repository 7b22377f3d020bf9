// What models have answered before: one row per weight vector and example, so that no evaluation is done twice. Rows of a base model go with it.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class CreateEvaluations1764000300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE compose_evaluations (
        key bytea CONSTRAINT compose_evaluations_pk PRIMARY KEY
          CONSTRAINT compose_evaluations_key_is_sha256 CHECK (octet_length(key) = 32),
        base_model_id uuid NOT NULL CONSTRAINT compose_evaluations_base_model_fk REFERENCES base_models (id) ON DELETE CASCADE,
        nll double precision NOT NULL,
        is_exact boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE INDEX compose_evaluations_age ON compose_evaluations (created_at)');
    await runner.query('CREATE INDEX compose_evaluations_base_model ON compose_evaluations (base_model_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE compose_evaluations');
  }
}
