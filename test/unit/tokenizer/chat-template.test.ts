// Chat templates render as transformers renders them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { ChatTemplate } from '#src/tokenizer/chat-template.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const hello = [{ role: 'user', content: 'hello' }];

function failsWith(code: string, reason: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof BraidError && error.code === code && reason.test(error.message);
}

describe('chat template', () => {
  test('sees messages, special tokens, add_generation_prompt and further variables', () => {
    const template = new ChatTemplate(
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] | trim }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% if thinking is defined and not thinking %} (no thinking){% endif %}{% endif %}",
      { bos_token: '<s>' },
    );
    assert.equal(template.render([{ role: 'user', content: ' hi ' }], { addGenerationPrompt: true }), '<s>[user] hi\n[assistant]');
    assert.equal(template.render(hello, { addGenerationPrompt: false }), '<s>[user] hello\n');
    assert.equal(
      template.render(hello, { addGenerationPrompt: true, variables: { thinking: false } }),
      '<s>[user] hello\n[assistant] (no thinking)',
    );
  });

  test('blocks are trimmed as transformers sets Jinja up', () => {
    const template = new ChatTemplate('{% for m in messages %}\n    {% if true %}\n{{ m.content }}\n    {% endif %}\n{% endfor %}', {});
    assert.equal(template.render(hello, { addGenerationPrompt: false }), 'hello\n');
  });

  test('raise_exception becomes a request error with the template’s words; strftime_now works', () => {
    const refusing = new ChatTemplate("{{ raise_exception('roles must alternate') }}", {});
    assert.throws(() => refusing.render(hello, { addGenerationPrompt: true }), failsWith('CHAT_TEMPLATE_FAILED', /roles must alternate/));
    const dated = new ChatTemplate("{{ strftime_now('%Y') }}", {});
    assert.match(dated.render(hello, { addGenerationPrompt: true }), /^20\d\d$/);
  });

  test('a template that cannot be read is an error of the request, not a crash', () => {
    assert.throws(
      () => new ChatTemplate('{% for %}', {}).render(hello, { addGenerationPrompt: true }),
      failsWith('CHAT_TEMPLATE_FAILED', /./),
    );
  });

  test('text from a message is never read as a template', () => {
    const template = new ChatTemplate('{{ messages[0].content }}', {});
    assert.equal(template.render([{ role: 'user', content: '{{ 1 + 1 }}' }], { addGenerationPrompt: true }), '{{ 1 + 1 }}');
  });

  test('a model without one says so', () => {
    const codec = createTextCodec(byteLevelTokenizerFiles());
    assert.equal(codec.hasChatTemplate, false);
    assert.throws(
      () => codec.applyChatTemplate(hello, { addGenerationPrompt: true }),
      failsWith('CHAT_TEMPLATE_MISSING', /no chat template/),
    );
  });
});
