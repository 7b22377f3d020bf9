// Examples in every form that is taken, what is refused and how it is named, and the tokens against those of transformers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { MOST_EXAMPLES, parseExampleLines, parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';
import { byteLevelTokenizerFiles, sentencePieceTokenizerFiles } from '#test/fixtures/tokenizers.js';

const CHATML =
  "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '</s>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof BraidError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('parsing', () => {
  test('JSON lines: blank lines and a byte order mark are nothing, further columns are left aside', () => {
    const parsed = parseExampleLines('\uFEFF{"prompt": "a", "completion": " b", "source": 7}\r\n\n{"prompt": "c", "completion": " d"}\n');
    assert.deepEqual(parsed, [
      { place: 'line 1', example: { prompt: 'a', completion: ' b' } },
      { place: 'line 3', example: { prompt: 'c', completion: ' d' } },
    ]);
  });

  test('messages: the last answer is learned, the rest is the prompt', () => {
    const user = { role: 'user', content: 'hi' };
    const assistant = { role: 'assistant', content: 'ho' };
    const expected = [{ place: 'example 1', example: { prompt: [user], completion: [assistant] } }];
    assert.deepEqual(parseExamples([{ messages: [user, assistant] }]), expected);
    assert.deepEqual(parseExamples([{ prompt: [user], completion: [assistant] }]), expected);
  });

  const refused: [string, unknown, RegExp][] = [
    ['a number', 3, /^EXAMPLE_INVALID.*example 1.*a number, not an object/],
    ['null', null, /^EXAMPLE_INVALID.*null/],
    ['a list', [], /^EXAMPLE_INVALID.*a list/],
    ['no prompt', { completion: 'x' }, /^EXAMPLE_INVALID.*neither "prompt" nor "messages"/],
    ['text alone', { text: 'x' }, /^EXAMPLE_INVALID/],
    ['no completion', { prompt: 'x' }, /^EXAMPLE_WITHOUT_OUTPUT.*missing/],
    ['null completion', { prompt: 'x', completion: null }, /^EXAMPLE_WITHOUT_OUTPUT.*missing/],
    ['blank completion', { prompt: 'x', completion: ' \n' }, /^EXAMPLE_WITHOUT_OUTPUT.*blank/],
    ['mixed forms', { prompt: 'x', completion: [] }, /^EXAMPLE_INVALID.*both texts or both lists/],
    ['number as completion', { prompt: 'x', completion: 7 }, /^EXAMPLE_INVALID.*both texts or both lists/],
    ['both forms', { prompt: 'x', messages: [] }, /^EXAMPLE_INVALID.*only one form/],
    ['no messages', { messages: [] }, /^EXAMPLE_WITHOUT_OUTPUT.*no messages/],
    ['messages that are none', { messages: 'x' }, /^EXAMPLE_INVALID.*"messages" is a string/],
    ['message without content', { messages: [{ role: 'user' }] }, /^EXAMPLE_INVALID.*"messages"\[0\]/],
    ['question without answer', { messages: [{ role: 'user', content: 'x' }] }, /^EXAMPLE_WITHOUT_OUTPUT.*role "user"/],
    [
      'blank answer',
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'assistant', content: ' ' },
        ],
      },
      /^EXAMPLE_WITHOUT_OUTPUT.*blank/,
    ],
    ['answer alone', { messages: [{ role: 'assistant', content: 'x' }] }, /^EXAMPLE_INVALID.*nothing before/],
    ['empty prompt list', { prompt: [], completion: [{ role: 'assistant', content: 'x' }] }, /^EXAMPLE_INVALID.*no message/],
  ];
  for (const [name, value, expected] of refused) {
    test(`refuses ${name}`, () => {
      assert.match(
        codeOf(() => parseExamples([value])),
        expected,
      );
    });
  }

  test('refuses what is not JSON, naming the line; none; too many', () => {
    const good = '{"prompt": "a", "completion": "b"}\n';
    assert.match(
      codeOf(() => parseExampleLines(`${good}\n{"prompt": `)),
      /^EXAMPLE_NOT_JSON: Examples, line 3/,
    );
    assert.match(
      codeOf(() => parseExampleLines('\n \n')),
      /^EXAMPLES_MISSING/,
    );
    assert.match(
      codeOf(() => parseExamples([])),
      /^EXAMPLES_MISSING/,
    );
    assert.equal(parseExampleLines(good.repeat(MOST_EXAMPLES)).length, MOST_EXAMPLES);
    assert.match(
      codeOf(() => parseExampleLines(good.repeat(10_000))),
      /^EXAMPLES_TOO_MANY: There are 10000 examples.*at most 256/,
    );
    const four = new Array<unknown>(4).fill({ prompt: 'a', completion: 'b' });
    assert.equal(parseExamples(four, 4).length, 4);
    assert.match(
      codeOf(() => parseExamples(four, 3)),
      /^EXAMPLES_TOO_MANY: .*at most 3/,
    );
  });
});

describe('tokens', () => {
  const codec = createTextCodec(byteLevelTokenizerFiles({ chatTemplate: CHATML }));
  const tokens = (value: unknown, contextLength = 100) => tokenizeExamples(parseExamples([value]), codec, contextLength);

  test('texts: what the tokenizer adds in front of the prompt, nothing in front of the completion, one end of sequence', () => {
    const [example] = tokens({ prompt: 'the', completion: ' the' });
    const prompt = codec.encode('the');
    assert.deepEqual(example, { ids: [...prompt, ...codec.encode(' the', { addSpecialTokens: false }), 1], from: prompt.length });
    assert.deepEqual(tokens({ prompt: 'the', completion: ' the</s>' }), [example]);
  });

  test('texts: the completion is what follows the prompt in the joined text, unless joining changes the prompt', () => {
    const sentencePiece = createTextCodec(sentencePieceTokenizerFiles());
    const of = (prompt: string, completion: string) => tokenizeExamples(parseExamples([{ prompt, completion }]), sentencePiece, 100)[0];
    const joined = sentencePiece.encode('the the');
    const end = sentencePiece.eosTokenId;
    // By itself ' the' would get the tokenizer's own leading space beside its own.
    assert.deepEqual(of('the', ' the'), { ids: [...joined, end], from: sentencePiece.encode('the').length });
    const prompt = sentencePiece.encode('the ');
    assert.deepEqual(of('the ', 'the'), {
      ids: [...prompt, ...sentencePiece.encode('the', { addSpecialTokens: false }), end],
      from: prompt.length,
    });
  });

  test('messages: the template writes both sides, and what it writes behind the end of sequence is not scored', () => {
    const [example] = tokens({
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: 'the' },
      ],
    });
    const prompt = codec.encode('<|user|>x</s>\n<|assistant|>', { addSpecialTokens: false });
    assert.deepEqual(example, { ids: [...prompt, ...codec.encode('the</s>', { addSpecialTokens: false })], from: prompt.length });
  });

  test('an empty prompt is enough where the tokenizer begins a text itself', () => {
    assert.deepEqual(tokens({ prompt: '', completion: 'the' })[0]?.from, 1);
  });

  test('refuses what overflows the context by one token, and what is far too long before tokenizing it', () => {
    const length = codec.encode('a'.repeat(20)).length + 2;
    const value = { prompt: 'a'.repeat(20), completion: 'b' };
    assert.equal(tokens(value, length)[0]?.ids.length, length);
    assert.match(
      codeOf(() => tokens(value, length - 1)),
      new RegExp(`^EXAMPLE_TOO_LONG.*example 1: ${length} tokens.*may have ${length - 1}`),
    );
    const started = performance.now();
    assert.match(
      codeOf(() => tokens({ prompt: 'the '.repeat(5_000_000), completion: 'b' })),
      /^EXAMPLE_TOO_LONG.*at least/,
    );
    assert.ok(performance.now() - started < 1000);
  });

  test('refuses a template that does not write the answer behind its own generation prompt', () => {
    const odd = createTextCodec(
      byteLevelTokenizerFiles({ chatTemplate: "{{ messages[-1].content }}{% if add_generation_prompt %}{{ '?' }}{% endif %}" }),
    );
    const [example] = parseExamples([
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'assistant', content: 'y' },
        ],
      },
    ]);
    assert.ok(example);
    assert.match(
      codeOf(() => tokenizeExamples([example], odd, 100)),
      /^EXAMPLE_INVALID.*generation prompt/,
    );
  });
});

const smollm2 = findSharedPath('models', 'smollm2-135m-instruct');
const expectedFile = findSharedPath('expected', 'smollm2.json');

describe('SmolLM2', { skip: smollm2 !== undefined && expectedFile !== undefined ? false : sharedFolderMissing }, () => {
  test('prompt and target ids are those with which the adapters were trained', async () => {
    const codec = await loadTextCodec(smollm2 ?? '');
    const { cases } = JSON.parse(readFileSync(expectedFile ?? '', 'utf8')) as {
      cases: { prompt: string; completion: string; promptIds: number[]; targetIds: number[] }[];
    };
    const tokenized = tokenizeExamples(parseExamples(cases), codec, 8192);
    assert.ok(cases.length > 0);
    assert.deepEqual(
      tokenized,
      cases.map(({ promptIds, targetIds }) => ({ ids: [...promptIds, ...targetIds], from: promptIds.length })),
    );
  });

  test('messages end with one <|im_end|>', async () => {
    const codec = await loadTextCodec(smollm2 ?? '');
    const [example] = tokenizeExamples(
      parseExamples([
        {
          messages: [
            { role: 'user', content: 'Say yes.' },
            { role: 'assistant', content: 'Yes.' },
          ],
        },
      ]),
      codec,
      8192,
    );
    assert.ok(example);
    assert.equal(codec.decode(example.ids.slice(example.from), { skipSpecialTokens: false }), 'Yes.<|im_end|>');
    assert.ok(codec.decode(example.ids.slice(0, example.from), { skipSpecialTokens: false }).endsWith('<|im_start|>assistant\n'));
  });
});
