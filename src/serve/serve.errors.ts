// What the OpenAI-compatible routes refuse. In answers the codes appear in lower case, as OpenAI writes its own.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const serveErrors = {
  MODEL_NOT_FOUND: {
    status: 404,
    message: '{reason} GET /v1/models lists what can be named: a base model, ns/adapter[@version] or ns/composition[@version].',
    fields: ['field'],
  },
  INVALID_BODY: { status: 400, message: 'The body must be a JSON object sent as application/json; found {found}.' },
  INVALID_VALUE: { status: 400, message: '{field} {rule}.', fields: ['field'] },
  REQUEST_TIMED_OUT: {
    status: 504,
    message: 'The request was not answered within {seconds} s, waiting included, and was stopped: ask for fewer tokens, or {advice}.',
  },
  UNSUPPORTED_PARAMETER: {
    status: 400,
    message: '{field} is not supported here and would change the answer: leave it out{neutral}.',
    fields: ['field'],
  },
  CONTEXT_LENGTH_EXCEEDED: {
    status: 400,
    message:
      "This model's context has {limit} tokens; the request has {prompt} in {field} and asks for {answer} more. Shorten {field} or ask for fewer.",
    fields: ['field'],
  },
  PROMPT_IS_CHAT: {
    status: 400,
    message: '{model} puts {examples} in front of every request, as earlier turns of a chat: send messages to /v1/chat/completions.',
    fields: ['field'],
  },
  PROMPT_IS_TEXT: {
    status: 400,
    message: '{model} puts {examples} in front of every request, as text: send a prompt, written as theirs are, to /v1/completions.',
    fields: ['field'],
  },
  MIXTURE_NEEDS_BASE: {
    status: 400,
    message:
      'With {way}, model must be the base model alone, but {model} is {kind}: write model = {baseModel} and name the adapters in {way}.',
    fields: ['field'],
  },
  MIXTURE_NOT_ADAPTER: {
    status: 400,
    message: '{field} must be an adapter (ns/name or ns/name@version), but {name} is {kind}.',
    fields: ['field'],
  },
  MIXTURE_WRONG_BASE: {
    status: 400,
    message: '{field}: {name} was made for the base model {found}, not for {expected}.',
    fields: ['field'],
  },
  BASE_MODEL_NEEDED: {
    status: 400,
    message: 'The hub has {count} base models{names}, and the request names neither one nor an adapter: write {field}, a base model.',
    fields: ['field'],
  },
  MERGE_STRATEGY_UNSUPPORTED: {
    status: 400,
    message: '{field} is {found}, which Braid does not serve: write linear, or leave it out; POST /api/compositions/jobs learns weights.',
    fields: ['field'],
  },
  LORA_UPDATING_OFF: {
    status: 403,
    message:
      'Loading adapters by request is off: set BRAID_ALLOW_RUNTIME_LORA_UPDATING=true. Nothing needs it: a published adapter is loaded when a request names it.',
  },
  LORA_NOT_PUBLISHED: {
    status: 404,
    message:
      '{field} must name an adapter that is published here, ns/name or ns/name@version; the hub opens no paths. {reason} Publish a folder with `braid publish FOLDER ns/name --base org/name`.',
    fields: ['field'],
  },
  LORA_NAME_DIFFERS: {
    status: 400,
    message: 'An adapter is served under its own name: {field} must be {expected}, not {found}.',
    fields: ['field'],
  },
} as const satisfies ErrorTable;

export const failServe = errorsOf(serveErrors);
