// Fields of OpenAI's and vLLM's requests that are not supported and would change the answer: refused by name unless they say nothing.
// Every other unknown field is ignored, as both of them do.
import { failServe } from '#src/serve/serve.errors.js';

type Neutral = (value: unknown, body: Readonly<Record<string, unknown>>) => boolean;

const isOff: Neutral = (value) => value === false;
const isOne: Neutral = (value) => value === 1;
const isEmpty: Neutral = (value) =>
  Array.isArray(value) ? value.length === 0 : typeof value === 'object' && value !== null && Object.keys(value).length === 0;
const isOneOf =
  (...allowed: readonly unknown[]): Neutral =>
  (value) =>
    allowed.includes(value);
const never: Neutral = () => false;

/** For each field, which values change nothing, and how to write such a value. Null and absence never change anything. */
const BOTH: Readonly<Record<string, readonly [Neutral, string]>> = {
  typical_p: [isOne, ' or 1'],
  use_beam_search: [isOff, ' or false'],
  bad_words: [isEmpty, ' or empty'],
  logits_processors: [isEmpty, ' or empty'],
  logprob_token_ids: [never, ''],
  prompt_logprobs: [never, ' (echo with logprobs scores a prompt)'],
  prompt_embeds: [never, ''],
  truncate_prompt_tokens: [never, ''],
  response_format: [
    (value) => typeof value === 'object' && value !== null && 'type' in value && value.type === 'text',
    ' or {"type": "text"}',
  ],
  structured_outputs: [never, ''],
  guided_json: [never, ''],
  guided_regex: [never, ''],
  guided_choice: [never, ''],
  guided_grammar: [never, ''],
  repetition_detection: [never, ''],
};

const COMPLETION: typeof BOTH = {
  ...BOTH,
  suffix: [isOneOf(''), ' or empty'],
  best_of: [(value, body) => value === (body['n'] ?? 1), ' or equal to n'],
};

/** What a chat's prompt depends on. */
const PROMPT: typeof BOTH = {
  tools: [isEmpty, ' or empty'],
  documents: [isEmpty, ' or empty'],
  chat_template: [never, " (the model's own is used)"],
  continue_final_message: [isOff, ' or false'],
};

const CHAT: typeof BOTH = {
  ...BOTH,
  ...PROMPT,
  functions: [isEmpty, ' or empty'],
  tool_choice: [isOneOf('none', 'auto'), ' or "none"'],
  function_call: [isOneOf('none', 'auto'), ' or "none"'],
  modalities: [(value) => Array.isArray(value) && value.every((modality) => modality === 'text'), ' or ["text"]'],
  audio: [never, ''],
  web_search_options: [never, ''],
  echo: [isOff, ' or false'],
};

const COMPARE: typeof BOTH = {
  ...CHAT,
  stream: [isOff, ' or false'],
  n: [isOne, ' or 1'],
  logprobs: [isOff, ' or false'],
};

const LORAX: typeof BOTH = {
  typical_p: [isOne, ' or 1'],
  best_of: [isOne, ' or 1'],
  truncate: [never, ''],
  watermark: [isOff, ' or false'],
  response_format: [never, ''],
  apply_chat_template: [isOff, ' or false: /v1/chat/completions applies it'],
};

const TABLES = {
  completion: COMPLETION,
  chat: CHAT,
  compare: COMPARE,
  tokenize: PROMPT,
  detokenize: {},
  loadLora: {},
  lorax: LORAX,
} as const;

export type CheckedRoute = keyof typeof TABLES;

/** @param within the path of an object inside the body, for errors. @throws BraidError UNSUPPORTED_PARAMETER naming the first such field */
export function refuseUnsupportedFields(body: Readonly<Record<string, unknown>>, route: CheckedRoute, within = ''): void {
  for (const [field, [isNeutral, neutral]] of Object.entries<(typeof BOTH)[string]>(TABLES[route])) {
    const value = body[field];
    if (value === undefined || value === null || isNeutral(value, body)) continue;
    throw failServe('UNSUPPORTED_PARAMETER', { field: `${within}${field}`, neutral });
  }
}
