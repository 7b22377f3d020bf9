// README.md: what search takes from a card, and that no card can stop a publish.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { cleanTags, MAX_DESCRIPTION_LENGTH, MAX_TAGS, readCard } from '#src/publish/read-card.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';

describe('the front matter', () => {
  it('gives tags, each once, and a description', () => {
    const card = readCard(
      '---\ntags:\n- words\n- lexical relations\n- words\ndescription: Opposites of words.\n---\n# Antonyms\n\nText.\n',
    );
    assert.deepEqual(card, { tags: ['words', 'lexical relations'], description: 'Opposites of words.', warnings: [] });
  });

  it('may hold one tag, or what is no tag', () => {
    assert.deepEqual(readCard('---\ntags: words\n---\n').tags, ['words']);
    assert.deepEqual(readCard('---\ntags: [words, 3, null, {a: b}, "", "a\\tb", " padded "]\n---\n').tags, ['words', 'padded']);
    assert.deepEqual(readCard('---\ntags: {a: b}\n---\n').tags, []);
    assert.deepEqual(readCard('---\r\ntags:\r\n- words\r\n---\r\nText.').tags, ['words']);
    assert.deepEqual(readCard('---\n\n---\nText.'), { tags: [], description: 'Text.', warnings: [] });
  });

  it('is left aside with a word when it is not YAML, or hostile', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 8 }, (_, i) => `${'bcdefghi'[i]}: &${'bcdefghi'[i]} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`).join('\n')}`;
    for (const yaml of ['{', 'tags: [a\nb: "', '- a list', 'just text', bomb, 'x'.repeat(70_000), 'a: *unknown']) {
      const card = readCard(`---\n${yaml}\n---\nWhat it does.\n`);
      assert.equal(card.warnings.length, 1, yaml.slice(0, 50));
      assert.deepEqual([card.tags, card.description], [[], 'What it does.'], yaml.slice(0, 50));
    }
  });

  it('runs nothing', () => {
    const card = readCard('---\ndescription: !!js/function "function () { throw 1 }"\n"__proto__": {polluted: true}\n---\n');
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assert.equal(typeof card.description, 'string');
  });
});

describe('the description', () => {
  const describeText = (text: string) => readCard(text).description;

  it('is the first paragraph that says something', () => {
    assert.equal(describeText('# Antonyms\n\nGives a word of\nopposite meaning.\n\nMore.'), 'Gives a word of opposite meaning.');
    assert.equal(describeText('# Title\nText right below.'), 'Text right below.');
    assert.equal(
      describeText('<!-- Provide a quick summary -->\n\n## Model Details\n\n[More Information Needed]\n\nIt speaks.'),
      'It speaks.',
    );
    assert.equal(describeText('[![Badge](https://x/y.svg)](https://x)\n\n| a | b |\n|---|---|\n\n```py\ncode\n```\n\nProse.'), 'Prose.');
    assert.equal(describeText('See **the [paper](https://x)** and `code`.'), 'See the paper and code.');
  });

  it('is one line of limited length, cut between words', () => {
    const description = describeText('word '.repeat(1000));
    assert.ok(description.length <= MAX_DESCRIPTION_LENGTH);
    assert.match(description, / word…$/);
    assert.equal(describeText('x'.repeat(10_000)).length, MAX_DESCRIPTION_LENGTH);
  });

  it('may be empty', () => {
    for (const text of ['', '---\ntags: [a]\n---\n', '# Only a title', '<!-- unfinished', '---', '42'])
      assert.equal(describeText(text), '');
  });

  it('is found in no time, whatever the text', () => {
    const start = performance.now();
    for (const piece of ['<!--', '[', '![](', '```\n', '# ', '\n\n', '<', '**', '---\n', '| ', '\n---']) readCard(piece.repeat(200_000));
    assert.ok(performance.now() - start < 5_000, `${performance.now() - start} ms`);
  });
});

describe('cleanTags', () => {
  it('keeps the first ones of too many', () => {
    const tags = cleanTags(Array.from({ length: 1000 }, (_, i) => `t${i}`));
    assert.deepEqual([tags.length, tags[0]], [MAX_TAGS, 't0']);
  });
});

test('the cards of the real adapters say what they are', { skip: findSharedPath('adapters') === undefined && sharedFolderMissing }, () => {
  for (const name of readdirSync(findSharedPath('adapters') ?? '')) {
    const card = readCard(readFileSync(findSharedPath('adapters', name, 'README.md') ?? '', 'utf8'));
    assert.ok(card.tags.length > 0, name);
    assert.ok(card.description.length > 10, name);
    assert.deepEqual(card.warnings, [], name);
  }
});
