// Compositions in factor space beside those in delta space.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AllowFactorSpace1764000350000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await setKnownSpaces(runner, "space IN ('delta', 'factor')");
  }

  async down(runner: QueryRunner): Promise<void> {
    await setKnownSpaces(runner, "space = 'delta'");
  }
}

async function setKnownSpaces(runner: QueryRunner, condition: string): Promise<void> {
  await runner.query('ALTER TABLE composition_versions DROP CONSTRAINT composition_versions_space_known');
  await runner.query(`ALTER TABLE composition_versions ADD CONSTRAINT composition_versions_space_known CHECK (${condition})`);
}
