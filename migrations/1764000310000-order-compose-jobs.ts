// The order of the queue: priority, then a turn for each namespace, and when a job that failed in passing may run again;
// and the log of a job's improvements, from which a broken event stream goes on.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class OrderComposeJobs1764000310000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE compose_jobs
        ADD COLUMN priority smallint NOT NULL DEFAULT 0 CONSTRAINT compose_jobs_priority_known CHECK (priority IN (-1, 0, 1)),
        ADD COLUMN namespace text NOT NULL GENERATED ALWAYS AS (split_part(name, '/', 1)) STORED,
        ADD COLUMN run_after timestamptz NOT NULL DEFAULT now()`);
    await runner.query('CREATE INDEX compose_jobs_turns ON compose_jobs (namespace, started_at DESC)');
    await runner.query('CREATE INDEX compose_jobs_age ON compose_jobs (created_at DESC, id DESC)');
    await runner.query(`
      CREATE TABLE compose_improvements (
        job_id uuid CONSTRAINT compose_improvements_job_fk REFERENCES compose_jobs (id) ON DELETE CASCADE,
        evaluations double precision,
        progress jsonb NOT NULL,
        CONSTRAINT compose_improvements_pk PRIMARY KEY (job_id, evaluations)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE compose_improvements');
    await runner.query('DROP INDEX compose_jobs_age');
    await runner.query('DROP INDEX compose_jobs_turns');
    await runner.query('ALTER TABLE compose_jobs DROP COLUMN priority, DROP COLUMN namespace, DROP COLUMN run_after');
  }
}
