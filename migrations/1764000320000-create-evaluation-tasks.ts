// Evaluations that a running job wants, for any process to do, and the processes that are there to do them. Tasks go with their job.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class CreateEvaluationTasks1764000320000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE compose_tasks (
        job_id uuid CONSTRAINT compose_tasks_job_fk REFERENCES compose_jobs (id) ON DELETE CASCADE,
        position integer,
        base_model_id uuid NOT NULL CONSTRAINT compose_tasks_base_model_fk REFERENCES base_models (id),
        status text NOT NULL DEFAULT 'wanted' CONSTRAINT compose_tasks_status_known CHECK (status IN ('wanted', 'leased', 'done')),
        work json NOT NULL,
        losses json,
        attempts integer NOT NULL DEFAULT 0,
        lease_owner uuid,
        lease_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT compose_tasks_pk PRIMARY KEY (job_id, position),
        CONSTRAINT compose_tasks_lease_while_leased CHECK ((status = 'leased') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)),
        CONSTRAINT compose_tasks_losses_when_done CHECK ((status = 'done') = (losses IS NOT NULL))
      )`);
    await runner.query(`CREATE INDEX compose_tasks_queue ON compose_tasks (created_at) WHERE status <> 'done'`);
    await runner.query(`
      CREATE TABLE compose_workers (
        id uuid CONSTRAINT compose_workers_pk PRIMARY KEY,
        seen_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE compose_workers');
    await runner.query('DROP TABLE compose_tasks');
  }
}
