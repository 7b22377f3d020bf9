// The examples that a composition of the prompted model puts in front of every request, and how many tokens they are. json, not jsonb, and
// without an operator on it, because those refuse NUL and lone surrogates, which a user's examples may hold.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class KeepCompositionPrompts1764000500000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE composition_versions
        ADD COLUMN prompt json
          CONSTRAINT composition_versions_prompt_is_list CHECK (prompt IS NULL OR json_typeof(prompt) = 'array'),
        ADD COLUMN prompt_tokens integer
          CONSTRAINT composition_versions_prompt_tokens_positive CHECK (prompt_tokens > 0),
        ADD CONSTRAINT composition_versions_prompt_whole CHECK ((prompt IS NULL) = (prompt_tokens IS NULL))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE composition_versions DROP COLUMN prompt, DROP COLUMN prompt_tokens');
  }
}
