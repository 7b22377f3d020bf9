// The queue of composition jobs. The index compose_jobs_one_running is what keeps a base model to one search at a time;
// request is json, not jsonb, because jsonb refuses NUL and lone surrogates, which a user's examples may hold.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class CreateComposeJobs1764000100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE compose_jobs (
        id uuid CONSTRAINT compose_jobs_pk PRIMARY KEY,
        name text NOT NULL,
        version text,
        base_model_id uuid NOT NULL CONSTRAINT compose_jobs_base_model_fk REFERENCES base_models (id),
        status text NOT NULL
          CONSTRAINT compose_jobs_status_known CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        request json NOT NULL,
        progress jsonb NOT NULL,
        composition_version text,
        error jsonb,
        attempts integer NOT NULL DEFAULT 0,
        cancel_requested boolean NOT NULL DEFAULT false,
        lease_owner uuid,
        lease_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        finished_at timestamptz,
        CONSTRAINT compose_jobs_lease_while_running CHECK ((status = 'running') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)),
        CONSTRAINT compose_jobs_result_when_succeeded CHECK ((status = 'succeeded') = (composition_version IS NOT NULL)),
        CONSTRAINT compose_jobs_error_when_failed CHECK ((status = 'failed') = (error IS NOT NULL))
      )`);
    await runner.query(`CREATE UNIQUE INDEX compose_jobs_one_running ON compose_jobs (base_model_id) WHERE status = 'running'`);
    await runner.query(`CREATE INDEX compose_jobs_queue ON compose_jobs (created_at, id) WHERE status = 'queued'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE compose_jobs');
  }
}
