// The registry's tables. Constraint names are written by hand: the registry tells races apart by them.
import { type MigrationInterface, type QueryRunner } from 'typeorm';

export class CreateRegistry1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One namespace for everything that a request may call a model.
    await runner.query(`
      CREATE TABLE model_names (
        name text CONSTRAINT model_names_pk PRIMARY KEY,
        kind text NOT NULL CONSTRAINT model_names_kind_known CHECK (kind IN ('base', 'adapter', 'composition')),
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE base_models (
        id uuid CONSTRAINT base_models_pk PRIMARY KEY,
        name text NOT NULL CONSTRAINT base_models_name_unique UNIQUE CONSTRAINT base_models_name_fk REFERENCES model_names (name),
        digest text NOT NULL CONSTRAINT base_models_digest_unique UNIQUE,
        directory text NOT NULL,
        architecture text NOT NULL,
        config jsonb NOT NULL,
        parameter_count bigint NOT NULL,
        weight_bytes bigint NOT NULL,
        context_length integer NOT NULL,
        vocabulary_size integer NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE repositories (
        id uuid CONSTRAINT repositories_pk PRIMARY KEY,
        namespace text NOT NULL,
        name text NOT NULL,
        full_name text GENERATED ALWAYS AS (namespace || '/' || name) STORED NOT NULL
          CONSTRAINT repositories_full_name_fk REFERENCES model_names (name),
        kind text NOT NULL CONSTRAINT repositories_kind_known CHECK (kind IN ('adapter', 'composition')),
        base_model_id uuid NOT NULL CONSTRAINT repositories_base_model_fk REFERENCES base_models (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT repositories_name_unique UNIQUE (namespace, name)
      )`);
    await runner.query('CREATE INDEX repositories_base_model ON repositories (base_model_id)');
    await runner.query(`
      CREATE TABLE adapter_versions (
        id uuid CONSTRAINT adapter_versions_pk PRIMARY KEY,
        repository_id uuid NOT NULL CONSTRAINT adapter_versions_repository_fk REFERENCES repositories (id),
        version text NOT NULL,
        version_key text COLLATE "C" NOT NULL,
        is_latest boolean NOT NULL,
        digest text NOT NULL,
        peft_type text NOT NULL,
        rank integer NOT NULL CONSTRAINT adapter_versions_rank_positive CHECK (rank > 0),
        alpha double precision NOT NULL,
        use_rslora boolean NOT NULL,
        target_modules text[] NOT NULL,
        parameter_count bigint NOT NULL,
        size_bytes bigint NOT NULL,
        description text NOT NULL,
        card text NOT NULL,
        tags text[] NOT NULL,
        adapter_config jsonb NOT NULL,
        examples_digest text,
        files jsonb NOT NULL,
        verification jsonb NOT NULL,
        search tsvector NOT NULL DEFAULT '',
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT adapter_versions_version_unique UNIQUE (repository_id, version)
      )`);
    await runner.query('CREATE UNIQUE INDEX adapter_versions_one_latest ON adapter_versions (repository_id) WHERE is_latest');
    await runner.query('CREATE INDEX adapter_versions_digest ON adapter_versions (digest)');
    await runner.query('CREATE INDEX adapter_versions_search ON adapter_versions USING gin (search) WHERE is_latest');
    await runner.query(`
      CREATE TABLE composition_versions (
        id uuid CONSTRAINT composition_versions_pk PRIMARY KEY,
        repository_id uuid NOT NULL CONSTRAINT composition_versions_repository_fk REFERENCES repositories (id),
        version text NOT NULL,
        version_key text COLLATE "C" NOT NULL,
        is_latest boolean NOT NULL,
        digest text NOT NULL,
        space text NOT NULL CONSTRAINT composition_versions_space_known CHECK (space = 'delta'),
        parts jsonb NOT NULL,
        recipe jsonb NOT NULL,
        report jsonb NOT NULL,
        description text NOT NULL,
        tags text[] NOT NULL,
        search tsvector NOT NULL DEFAULT '',
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT composition_versions_version_unique UNIQUE (repository_id, version)
      )`);
    await runner.query('CREATE UNIQUE INDEX composition_versions_one_latest ON composition_versions (repository_id) WHERE is_latest');
    await runner.query('CREATE INDEX composition_versions_search ON composition_versions USING gin (search) WHERE is_latest');
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['composition_versions', 'adapter_versions', 'repositories', 'base_models', 'model_names']) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}
