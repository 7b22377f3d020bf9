// Search on both homes: the same hits in the same order, honest counts, pages without gaps.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { type DataSource } from 'typeorm';
import { openDataSource } from '#src/database/open-data-source.js';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf } from '#src/ids/ids.js';
import { AdapterVersion } from '#src/registry/adapter-version.entity.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { CompositionVersion } from '#src/registry/composition-version.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { Repository } from '#src/registry/repository.entity.js';
import { type SearchQuery } from '#src/search/search.dto.js';
import { SearchService } from '#src/search/search.service.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { newAdapterVersion, newBaseModel, newCompositionVersion } from '#test/fixtures/registry-rows.js';

describeOnHomes('search', (home) => {
  let dataSource: DataSource;
  let search: SearchService;
  const names = async (query: SearchQuery): Promise<string[]> => (await search.search(query)).items.map(({ name }) => name);

  before(async () => {
    dataSource = await openDataSource(home.configuration, [BaseModel, Repository, AdapterVersion, CompositionVersion]);
    search = new SearchService(dataSource);
    const registry = new RegistryService(dataSource);
    const small = await registry.addBaseModel(newBaseModel('org/small'));
    const large = await registry.addBaseModel(newBaseModel('org/large'));
    const adapters = [
      newAdapterVersion('ann/german-translator', small, {
        rank: 4,
        tags: ['translation', 'german'],
        description: 'Translates English sentences.',
      }),
      newAdapterVersion('ann/french', small, {
        rank: 8,
        tags: ['translation', 'french'],
        card: '# French\nTranslations into French, naïve ones too.',
      }),
      newAdapterVersion('bob/sentiment', large, {
        rank: 16,
        tags: ['classification'],
        description: 'Says whether a review is positive.',
        targetModules: ['q_proj', 'gate_proj'],
      }),
      newAdapterVersion('bob/reviews', large, {
        rank: 16,
        tags: ['classification', 'german'],
        card: 'Positive or negative sentiment of German reviews.',
        useRslora: true,
      }),
      newAdapterVersion('cyd/sorter_v2', small, { rank: 32, description: 'Sorts words by the alphabet.', peftType: 'DORA' }),
    ];
    for (const adapter of adapters) await registry.addAdapterVersion(adapter);
    // An older text that must not be found any more, and a pre-release that must not be found yet.
    await registry.addAdapterVersion(
      newAdapterVersion('dee/changed', small, { version: '1.0.0', description: 'obsolete wording', digest: digestOf('1') }),
    );
    await registry.addAdapterVersion(
      newAdapterVersion('dee/changed', small, { version: '2.0.0', description: 'fresh wording', digest: digestOf('2'), tags: ['x'] }),
    );
    await registry.addAdapterVersion(
      newAdapterVersion('dee/changed', small, { version: '3.0.0-rc.1', description: 'upcoming wording', digest: digestOf('3') }),
    );
    await registry.addCompositionVersion(
      newCompositionVersion('eve/german-mix', small, { tags: ['german'], description: 'A translator made of two.' }),
    );
  });
  after(() => dataSource.destroy());

  it('finds everything without words, by name', async () => {
    assert.deepEqual(await names({}), [
      'ann/french',
      'ann/german-translator',
      'bob/reviews',
      'bob/sentiment',
      'cyd/sorter_v2',
      'dee/changed',
      'eve/german-mix',
    ]);
  });

  it('shows of an item what the registry knows', async () => {
    const { items } = await search.search({ q: 'german-translator' });
    const { createdAt, score, ...item } = items[0] ?? {};
    assert.ok(createdAt instanceof Date && score !== undefined && score > 1);
    assert.deepEqual(item, {
      name: 'ann/german-translator',
      kind: 'adapter',
      version: '1.0.0',
      base: 'org/small',
      description: 'Translates English sentences.',
      tags: ['translation', 'german'],
      peftType: 'LORA',
      rank: 4,
      alpha: 16,
      useRslora: false,
      targetModules: ['q_proj', 'v_proj'],
      parameterCount: 3_000_000_000,
      sizeBytes: 12_000_000_000,
      digest: digestOf('content of ann/german-translator'),
      exactMatch: null,
    });
    const composition = (await search.search({ kind: 'composition' })).items[0];
    assert.deepEqual(
      [composition?.name, composition?.rank, composition?.parameterCount, composition?.targetModules],
      ['eve/german-mix', null, null, []],
    );
  });

  const found: readonly [string, string[]][] = [
    // Name and tags before description before card.
    ['sentiment', ['bob/sentiment', 'bob/reviews']],
    ['positive review', ['bob/reviews', 'bob/sentiment']],
    // Stems, and beginnings of words.
    ['translating', ['ann/german-translator', 'eve/german-mix', 'ann/french']],
    ['transl', ['ann/german-translator', 'eve/german-mix', 'ann/french']],
    ['germ transl', ['eve/german-mix', 'ann/german-translator']],
    ['NAÏVE', ['ann/french']],
    // Parts of names and whole ones.
    ['sorter', ['cyd/sorter_v2']],
    ['cyd/sorter_v2', ['cyd/sorter_v2']],
    ['bob', ['bob/reviews', 'bob/sentiment']],
    // The language of web searches.
    ['german -translation', ['bob/reviews']],
    ['sentiment or sorter', ['bob/sentiment', 'cyd/sorter_v2', 'bob/reviews']],
    ['"german reviews"', ['bob/reviews']],
    ['"reviews german"', []],
    // Only the latest version speaks.
    ['obsolete', []],
    ['upcoming', []],
    ['fresh', ['dee/changed']],
    ['zebra', []],
  ];
  for (const [q, expected] of found) {
    it(`finds for ${q}: ${expected.join(', ') || 'nothing'}`, async () => {
      const hits = await names({ q });
      assert.deepEqual([...hits].sort(), [...expected].sort());
      if (expected.length > 0 && !q.includes('or ') && !q.startsWith('germ')) assert.equal(hits[0], expected[0]);
    });
  }

  it('puts a hit on the very name first', async () => {
    assert.equal((await names({ q: 'french' }))[0], 'ann/french');
    assert.equal((await names({ q: 'bob/reviews' }))[0], 'bob/reviews');
  });

  it('takes words that mean nothing as no words', async () => {
    for (const q of ['', '   ', 'the', '!!', '-', '"']) assert.equal((await search.search({ q })).total, 7, JSON.stringify(q));
  });

  const filters: readonly [SearchQuery, string[]][] = [
    [{ base: 'org/large' }, ['bob/reviews', 'bob/sentiment']],
    [{ base: 'org/none' }, []],
    [{ tag: ['german'] }, ['ann/german-translator', 'bob/reviews', 'eve/german-mix']],
    [{ tag: ['german', 'translation'] }, ['ann/german-translator']],
    [{ minRank: 16 }, ['bob/reviews', 'bob/sentiment', 'cyd/sorter_v2']],
    [{ minRank: 5, maxRank: 16 }, ['ann/french', 'bob/reviews', 'bob/sentiment', 'dee/changed']],
    [{ targetModule: ['gate_proj'] }, ['bob/sentiment']],
    [{ targetModule: ['gate_proj', 'v_proj'] }, []],
    [{ peftType: 'DORA' }, ['cyd/sorter_v2']],
    [{ kind: 'composition' }, ['eve/german-mix']],
    [{ q: 'translation', kind: 'adapter', maxRank: 4 }, ['ann/german-translator']],
  ];
  for (const [query, expected] of filters) {
    it(`filters by ${JSON.stringify(query)}`, async () => {
      const result = await search.search(query);
      assert.deepEqual(
        result.items.map(({ name }) => name),
        expected,
      );
      assert.equal(result.total, expected.length);
    });
  }

  it('counts the values of what was found', async () => {
    const { total, facets } = await search.search({ limit: 1 });
    assert.equal(total, 7);
    assert.deepEqual(facets, {
      kind: [
        { value: 'adapter', count: 6 },
        { value: 'composition', count: 1 },
      ],
      base: [
        { value: 'org/small', count: 5 },
        { value: 'org/large', count: 2 },
      ],
      tags: [
        { value: 'german', count: 3 },
        { value: 'classification', count: 2 },
        { value: 'translation', count: 2 },
        { value: 'french', count: 1 },
        { value: 'x', count: 1 },
      ],
      rank: [
        { value: 16, count: 2 },
        { value: 8, count: 2 },
        { value: 32, count: 1 },
        { value: 4, count: 1 },
      ],
      targetModules: [
        { value: 'q_proj', count: 6 },
        { value: 'v_proj', count: 5 },
        { value: 'gate_proj', count: 1 },
      ],
      peftType: [
        { value: 'LORA', count: 5 },
        { value: 'DORA', count: 1 },
      ],
      evaluation: [],
    });
    const narrowed = await search.search({ q: 'sentiment', base: 'org/large' });
    assert.deepEqual(narrowed.facets.tags, [
      { value: 'classification', count: 2 },
      { value: 'german', count: 1 },
    ]);
    assert.deepEqual((await search.search({ q: 'zebra' })).facets, {
      kind: [],
      base: [],
      tags: [],
      rank: [],
      targetModules: [],
      peftType: [],
      evaluation: [],
    });
  });

  for (const query of [{}, { q: 'german' }, { q: 'transl' }, { tag: ['german'] }] satisfies SearchQuery[]) {
    it(`pages through ${JSON.stringify(query)} without gap or repetition`, async () => {
      const whole = await names({ ...query, limit: 100 });
      for (const limit of [1, 2, 3]) {
        const paged: string[] = [];
        let next: string | null | undefined;
        do {
          const page = await search.search({ ...query, limit, ...(next === undefined || next === null ? {} : { after: next }) });
          assert.ok(page.items.length <= limit && page.total === whole.length);
          paged.push(...page.items.map(({ name }) => name));
          next = page.next;
        } while (next !== null);
        assert.deepEqual(paged, whole, `pages of ${limit}`);
      }
    });
  }

  it('refuses a cursor of another search, and a range upside down', async () => {
    const { next } = await search.search({ limit: 1 });
    const isRefused = (code: string) => (error: unknown) => error instanceof BraidError && error.code === code;
    await assert.rejects(search.search({ q: 'german', after: next ?? '' }), isRefused('INVALID_CURSOR'));
    await assert.rejects(search.search({ after: 'nonsense' }), isRefused('INVALID_CURSOR'));
    await assert.rejects(search.search({ minRank: 9, maxRank: 8 }), isRefused('INVALID_RANK_RANGE'));
  });

  it('never fails on what is typed', async () => {
    const pieces = [
      'a',
      'or',
      'OR',
      'and',
      '-',
      '"',
      "'",
      ':*',
      '&',
      '|',
      '!',
      '(',
      ')',
      '<->',
      '\\',
      '/',
      '@',
      '日本',
      '①',
      '²',
      'é',
      '🎈',
      '%',
      '_',
      '$1',
      ';--',
      '<b>',
      'http://x.y/z?q=1',
      '1e5',
      '-3.5',
      '\t',
    ];
    let state = 7;
    const draw = (n: number): number => (state = (state * 48271) % 2147483647) % n;
    for (let i = 0; i < 150; i++) {
      const q = Array.from({ length: 1 + draw(6) }, () => (pieces[draw(pieces.length)] ?? '') + (draw(2) === 0 ? ' ' : '')).join('');
      await assert.doesNotReject(search.search({ q, limit: 1 }), JSON.stringify(q));
    }
  });
});
