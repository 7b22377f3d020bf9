// Finds repositories by words and traits, with counts of what was found. Reads the registry's rows, writes none.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { safeInteger } from '../database/columns.js';
import { errorsOf } from '../http/braid-error.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { adaptersStatement, facetStatement, pageStatement, type SearchConditions } from './search-statement.js';
import { type SearchFacets, type SearchItem, type SearchQuery, type SearchResult } from './search.dto.js';
import { searchErrors } from './search.errors.js';
import { parseTextQuery } from './text-query.js';

const fail = errorsOf(searchErrors);
const DEFAULT_LIMIT = 20;

interface ItemRow {
  name: string;
  kind: SearchItem['kind'];
  version: string;
  base: string;
  description: string;
  tags: string[];
  peft_type: string | null;
  rank: number | null;
  alpha: number | null;
  use_rslora: boolean | null;
  target_modules: string[];
  parameter_count: string | null;
  size_bytes: string | null;
  digest: string;
  created_at: Date;
  score: number;
  exact_match: number | null;
}

interface FacetRow {
  facet: keyof SearchFacets | 'total';
  value: string;
  count: number;
}

function toItem(row: ItemRow): SearchItem {
  return {
    name: row.name,
    kind: row.kind,
    version: row.version,
    base: row.base,
    description: row.description,
    tags: row.tags,
    peftType: row.peft_type,
    rank: row.rank,
    alpha: row.alpha,
    useRslora: row.use_rslora,
    targetModules: row.target_modules,
    parameterCount: readBigint(row.parameter_count),
    sizeBytes: readBigint(row.size_bytes),
    digest: row.digest,
    createdAt: row.created_at,
    score: row.score,
    exactMatch: row.exact_match,
  };
}

function readBigint(text: string | null): number | null {
  return safeInteger.from(text) as number | null;
}

@Injectable()
export class SearchService {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * A page of what fits, best first, with facets over all pages.
   * @throws BraidError INVALID_CURSOR, INVALID_RANK_RANGE, MINIMUM_WITHOUT_EVALUATION
   */
  async search(query: SearchQuery): Promise<SearchResult> {
    const { minRank, maxRank } = query;
    if (minRank !== undefined && maxRank !== undefined && minRank > maxRank) {
      throw fail('INVALID_RANK_RANGE', { field: 'minRank', minRank, maxRank });
    }
    if (query.minExactMatch !== undefined && query.evaluated === undefined) {
      throw fail('MINIMUM_WITHOUT_EVALUATION', { field: 'minExactMatch' });
    }
    const text = query.q ?? '';
    const conditions: SearchConditions = {
      text,
      textQuery: parseTextQuery(text),
      base: query.base,
      tags: query.tag ?? [],
      minRank,
      maxRank,
      targetModules: query.targetModule ?? [],
      peftType: query.peftType,
      kind: query.kind,
      evaluated: query.evaluated,
      minExactMatch: query.minExactMatch,
    };
    const after = query.after === undefined ? undefined : decodeCursor(query.after, conditions);
    if (query.after !== undefined && after === undefined) throw fail('INVALID_CURSOR', { field: 'after' });
    const limit = query.limit ?? DEFAULT_LIMIT;
    const page = pageStatement(conditions, limit, after);
    const rows = await this.dataSource.query<ItemRow[]>(page.sql, page.parameters);
    const items = rows.slice(0, limit).map(toItem);
    const last = items.at(-1);
    return {
      items,
      ...(await this.count(conditions)),
      next: rows.length > limit && last !== undefined ? encodeCursor(last, conditions) : null,
    };
  }

  /** The latest versions of adapters, in the order of the names; names of none are left out. */
  async listAdapters(names: readonly string[]): Promise<SearchItem[]> {
    const { sql, parameters } = adaptersStatement(names);
    const items = new Map((await this.dataSource.query<ItemRow[]>(sql, parameters)).map((row) => [row.name, toItem(row)]));
    return names.flatMap((name) => items.get(name) ?? []);
  }

  private async count(conditions: SearchConditions): Promise<Pick<SearchResult, 'total' | 'facets'>> {
    const { sql, parameters } = facetStatement(conditions);
    const rows = await this.dataSource.query<FacetRow[]>(sql, parameters);
    const facets: SearchFacets = { kind: [], base: [], tags: [], rank: [], targetModules: [], peftType: [], evaluation: [] };
    let total = 0;
    for (const { facet, value, count } of rows) {
      if (facet === 'total') total = count;
      else facets[facet].push({ value: facet === 'rank' ? Number(value) : value, count });
    }
    return { total, facets };
  }
}
