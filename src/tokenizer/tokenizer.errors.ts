// What can go wrong between text and tokens: a model directory without a usable tokenizer, or a chat that its template cannot write.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const tokenizerErrors = {
  TOKENIZER_MISSING: {
    status: 422,
    message:
      'The model directory has no {file}: add the tokenizer.json that belongs to the model (save_pretrained of a fast tokenizer writes it).',
    fields: ['file'],
  },
  TOKENIZER_INVALID: {
    status: 422,
    message: '{file} cannot be used: {reason}.',
    fields: ['file', 'reason'],
  },
  TOKENIZER_GONE: {
    status: 503,
    message:
      'The tokenizer of base model {name} cannot be read any more: {reason}. Put the files back, or add the model again from where they are now.',
    fields: ['name'],
  },
  WORD_TOO_LONG: {
    status: 400,
    message: 'The text has {found} characters in a row without a break that the tokenizer knows; at most {limit} are encoded as one word.',
    fields: ['found', 'limit'],
  },
  CHAT_TEMPLATE_MISSING: {
    status: 400,
    message: 'The base model has no chat template: send plain text to /v1/completions, or add chat_template.jinja to the model directory.',
  },
  CHAT_TEMPLATE_FAILED: {
    status: 400,
    message: "The model's chat template refused the messages: {reason}.",
    fields: ['reason'],
  },
} as const satisfies ErrorTable;

export const failTokenizer = errorsOf(tokenizerErrors);
