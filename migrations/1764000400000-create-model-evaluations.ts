// Models evaluated on examples: a row an evaluation, queued and leased as composition jobs are, and a row for every example that is done,
// so that a killed one goes on. settings, examples and answer are json, not jsonb, because jsonb refuses NUL and lone surrogates.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class CreateModelEvaluations1764000400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The version that the evaluation belongs to, or the base model where it is that.
    await runner.query(`
      CREATE TABLE model_evaluations (
        id uuid CONSTRAINT model_evaluations_pk PRIMARY KEY,
        base_model_id uuid NOT NULL CONSTRAINT model_evaluations_base_model_fk REFERENCES base_models (id),
        adapter_version_id uuid CONSTRAINT model_evaluations_adapter_version_fk REFERENCES adapter_versions (id),
        composition_version_id uuid CONSTRAINT model_evaluations_composition_version_fk REFERENCES composition_versions (id),
        subject_id uuid GENERATED ALWAYS AS (coalesce(adapter_version_id, composition_version_id, base_model_id)) STORED NOT NULL,
        model text NOT NULL,
        name text NOT NULL,
        request_digest text NOT NULL,
        examples_digest text NOT NULL,
        settings json NOT NULL,
        examples json,
        status text NOT NULL
          CONSTRAINT model_evaluations_status_known CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        total integer NOT NULL,
        evaluated integer NOT NULL DEFAULT 0,
        result jsonb,
        error jsonb,
        attempts integer NOT NULL DEFAULT 0,
        cancel_requested boolean NOT NULL DEFAULT false,
        lease_owner uuid,
        lease_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        finished_at timestamptz,
        CONSTRAINT model_evaluations_request_unique UNIQUE (subject_id, request_digest),
        CONSTRAINT model_evaluations_one_subject CHECK (num_nonnulls(adapter_version_id, composition_version_id) <= 1),
        CONSTRAINT model_evaluations_evaluated_within_total CHECK (evaluated BETWEEN 0 AND total),
        CONSTRAINT model_evaluations_lease_while_running
          CHECK ((status = 'running') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)),
        CONSTRAINT model_evaluations_result_when_succeeded CHECK ((status = 'succeeded') = (result IS NOT NULL)),
        CONSTRAINT model_evaluations_error_when_failed CHECK ((status = 'failed') = (error IS NOT NULL)),
        CONSTRAINT model_evaluations_examples_until_succeeded CHECK ((status = 'succeeded') = (examples IS NULL))
      )`);
    await runner.query(`CREATE UNIQUE INDEX model_evaluations_one_running ON model_evaluations (base_model_id) WHERE status = 'running'`);
    await runner.query(`CREATE INDEX model_evaluations_queue ON model_evaluations (created_at, id) WHERE status = 'queued'`);
    await runner.query(
      `CREATE INDEX model_evaluations_succeeded ON model_evaluations (subject_id, name, finished_at) WHERE status = 'succeeded'`,
    );
    await runner.query(`
      CREATE TABLE model_evaluation_examples (
        evaluation_id uuid NOT NULL
          CONSTRAINT model_evaluation_examples_evaluation_fk REFERENCES model_evaluations (id) ON DELETE CASCADE,
        place integer NOT NULL,
        tokens integer NOT NULL CONSTRAINT model_evaluation_examples_tokens_positive CHECK (tokens > 0),
        nll double precision,
        answer json NOT NULL,
        is_exact boolean NOT NULL,
        choice integer,
        is_correct boolean,
        CONSTRAINT model_evaluation_examples_pk PRIMARY KEY (evaluation_id, place)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE model_evaluation_examples');
    await runner.query('DROP TABLE model_evaluations');
  }
}
