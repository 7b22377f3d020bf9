// What can be wrong with a GGUF file that should be an adapter, or with an adapter that should become one.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const ggufErrors = {
  GGUF_INVALID: {
    status: 422,
    message: '{file} is not a sound GGUF file: {reason}. Write it again with convert_lora_to_gguf.py or `braid export --format gguf`.',
    fields: ['file', 'reason'],
  },
  GGUF_LIMIT_EXCEEDED: {
    status: 422,
    message: '{file} is refused: it announces {reason}, at most {allowed} are accepted.',
    fields: ['file', 'reason', 'allowed'],
  },
  GGUF_NOT_LORA: {
    status: 422,
    message: '{file} is no LoRA adapter that fits the base model: {reason}.',
    fields: ['file', 'reason'],
  },
  GGUF_UNSUPPORTED: {
    status: 422,
    message: 'As GGUF this adapter cannot be written: {reason}. Use `--format {instead}`.',
    fields: ['reason', 'instead'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(ggufErrors);
