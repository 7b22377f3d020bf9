// The SQL of a search: which repositories match, in which order, and how often each facet's values occur among them.
import { type SearchFacets } from './search.dto.js';
import { type TextQuery } from './text-query.js';

/** What decides about an item; every condition that is there must hold. */
export interface SearchConditions {
  /** The text as typed, for a hit on the name itself. */
  readonly text: string;
  readonly textQuery: TextQuery;
  readonly base: string | undefined;
  readonly tags: readonly string[];
  readonly minRank: number | undefined;
  readonly maxRank: number | undefined;
  readonly targetModules: readonly string[];
  readonly peftType: string | undefined;
  readonly kind: 'adapter' | 'composition' | undefined;
  /** Name of an evaluation that must have succeeded; the newest one counts. */
  readonly evaluated: string | undefined;
  /** 0…1, of that evaluation. */
  readonly minExactMatch: number | undefined;
}

export interface Statement {
  readonly sql: string;
  readonly parameters: unknown[];
}

const MAX_FACET_VALUES = 50;

// Both kinds of latest versions with the same columns. "C" orders names by code point in both homes.
const ENTRIES = `
  SELECT v.id, r.full_name COLLATE "C" AS name, r.kind, v.version, b.name AS base, v.description, v.tags, v.peft_type, v.rank, v.alpha,
    v.use_rslora, v.target_modules, v.parameter_count, v.size_bytes, v.digest, v.created_at, v.search
  FROM adapter_versions v JOIN repositories r ON r.id = v.repository_id JOIN base_models b ON b.id = r.base_model_id
  WHERE v.is_latest
  UNION ALL
  SELECT v.id, r.full_name COLLATE "C", r.kind, v.version, b.name, v.description, v.tags, NULL, NULL, NULL,
    NULL, '{}'::text[], NULL, NULL, v.digest, v.created_at, v.search
  FROM composition_versions v JOIN repositories r ON r.id = v.repository_id JOIN base_models b ON b.id = r.base_model_id
  WHERE v.is_latest`;

/** The common table `matched`: every item that fits, with its score. A text without words (or with stop words only) fits everything. */
function matched(conditions: SearchConditions): Statement {
  const parameters: unknown[] = [conditions.textQuery.web, conditions.textQuery.prefixes, conditions.text.trim().toLowerCase()];
  const clauses = ['(numnode(words.query) = 0 OR entry.search @@ words.query)'];
  const where = (clause: (parameter: string) => string, value: unknown): void => {
    parameters.push(value);
    clauses.push(clause(`$${parameters.length}`));
  };
  const { base, tags, minRank, maxRank, targetModules, peftType, kind, evaluated, minExactMatch } = conditions;
  if (base !== undefined) where((p) => `entry.base = ${p}`, base);
  if (tags.length > 0) where((p) => `entry.tags @> ${p}::text[]`, tags);
  if (minRank !== undefined) where((p) => `entry.rank >= ${p}`, minRank);
  if (maxRank !== undefined) where((p) => `entry.rank <= ${p}`, maxRank);
  if (targetModules.length > 0) where((p) => `entry.target_modules @> ${p}::text[]`, targetModules);
  if (peftType !== undefined) where((p) => `entry.peft_type = ${p}`, peftType);
  if (kind !== undefined) where((p) => `entry.kind = ${p}`, kind);
  const evaluation =
    evaluated === undefined ? 'CROSS JOIN (SELECT NULL::float8 AS exact_match) AS evaluation' : newest(`$${parameters.push(evaluated)}`);
  if (minExactMatch !== undefined) where((p) => `evaluation.exact_match >= ${p}::float8`, minExactMatch);
  // A whole word counts twice: as itself and as the beginning of one. A hit on the very name comes before everything else.
  const sql = `
    WITH words AS (SELECT websearch_to_tsquery('english', $1) || to_tsquery('english', $2) AS query),
    matched AS (
      SELECT entry.*, evaluation.exact_match, (CASE WHEN numnode(words.query) = 0 THEN 0 ELSE ts_rank(entry.search, words.query) END
        + CASE WHEN $3 IN (lower(entry.name), lower(split_part(entry.name, '/', 2))) THEN 1 ELSE 0 END)::float8 AS score
      FROM words CROSS JOIN (${ENTRIES}) AS entry ${evaluation}
      WHERE ${clauses.join(' AND ')}
    )`;
  return { sql, parameters };
}

/** Joins the newest evaluation of this name that succeeded; what has none drops out. */
function newest(evaluated: string): string {
  return `CROSS JOIN LATERAL (
    SELECT (result->'exactMatch'->>'value')::float8 AS exact_match FROM model_evaluations
    WHERE subject_id = entry.id AND name = ${evaluated} AND status = 'succeeded' ORDER BY finished_at DESC, id LIMIT 1) AS evaluation`;
}

/** A page in keyset order: score falling, then name rising; one more row than `limit` tells that there is a next page. */
export function pageStatement(conditions: SearchConditions, limit: number, after: { score: number; name: string } | undefined): Statement {
  const { sql, parameters } = matched(conditions);
  const next = (value: unknown): string => `$${parameters.push(value)}`;
  const beyond = after === undefined ? '' : keysetClause(next(after.score), next(after.name));
  return { sql: `${sql} SELECT * FROM matched ${beyond} ORDER BY score DESC, name LIMIT ${next(limit + 1)}`, parameters };
}

function keysetClause(score: string, name: string): string {
  return `WHERE score < ${score}::float8 OR (score = ${score}::float8 AND name > ${name}::text COLLATE "C")`;
}

/** The latest versions of the named adapters, in any order. */
export function adaptersStatement(names: readonly string[]): Statement {
  return {
    sql: `SELECT entry.*, NULL::float8 AS exact_match, 0::float8 AS score FROM (${ENTRIES}) AS entry WHERE kind = 'adapter' AND name = ANY($1::text[])`,
    parameters: [names],
  };
}

const FACETS: Readonly<Record<keyof SearchFacets, string>> = {
  kind: 'SELECT kind AS value FROM matched',
  base: 'SELECT base FROM matched',
  tags: 'SELECT DISTINCT name, unnest(tags) AS value FROM matched',
  rank: 'SELECT rank::text FROM matched WHERE rank IS NOT NULL',
  targetModules: 'SELECT DISTINCT name, unnest(target_modules) AS value FROM matched',
  peftType: 'SELECT peft_type FROM matched WHERE peft_type IS NOT NULL',
  evaluation: `SELECT DISTINCT name, evaluation AS value FROM matched
    JOIN (SELECT subject_id, name AS evaluation FROM model_evaluations WHERE status = 'succeeded') AS done ON done.subject_id = matched.id`,
};

/** Rows (facet, value, count); the facet `total` counts all items. */
export function facetStatement(conditions: SearchConditions): Statement {
  const { sql, parameters } = matched(conditions);
  const sources = Object.entries(FACETS).map(([facet, source]) => {
    const columns = source.includes('DISTINCT name') ? '(name, value)' : '(value)';
    return `SELECT '${facet}' AS facet, value, count(*)::int AS count FROM (${source}) AS source ${columns} GROUP BY value`;
  });
  return {
    sql: `${sql},
      counted AS (${sources.join(' UNION ALL ')} UNION ALL SELECT 'total', '', count(*)::int FROM matched),
      placed AS (SELECT *, row_number() OVER (PARTITION BY facet ORDER BY count DESC, value COLLATE "C") AS place FROM counted)
      SELECT facet, value, count FROM placed WHERE place <= ${MAX_FACET_VALUES} ORDER BY facet, place`,
    parameters,
  };
}
