// The answers of LoRAX's routes, as the hub's OpenAPI document shows them.
import { LORAX_ERROR_SCHEMA } from '#src/http/lorax-error.js';
import { integer, list, object, type Schema, text } from '#src/serve/openai-schemas.js';

const token = { id: integer, text, logprob: { type: 'number', nullable: true } } as const;

export const loraxSchema = object(
  {
    generated_text: text,
    details: object({
      finish_reason: { type: 'string', enum: ['length', 'eos_token', 'stop_sequence'] },
      prompt_tokens: integer,
      generated_tokens: integer,
      seed: { type: 'integer', nullable: true, description: 'Null where nothing is sampled' },
      prefill: list(object(token)),
      tokens: list(
        object({ ...token, special: { type: 'boolean' }, alternative_tokens: list(object(token)) }, [...Object.keys(token), 'special']),
      ),
    }),
  },
  ['generated_text'],
);

export const loraxErrorSchema: Schema = LORAX_ERROR_SCHEMA;
