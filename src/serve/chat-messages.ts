// OpenAI's chat messages, reduced to what a text model's template reads: role, name and one text.
import { failServe } from '#src/serve/serve.errors.js';
import type { ChatMessage } from '#src/tokenizer/chat-template.js';

const ROLES = ['system', 'developer', 'user', 'assistant'] as const;
/** More messages than any conversation that fits a context. */
export const MAX_MESSAGES = 4096;

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The messages for the chat template. Text parts are joined by line ends, as vLLM does for templates that take plain text;
 * `developer` is `system` by its newer name.
 * @throws BraidError INVALID_VALUE, UNSUPPORTED_PARAMETER naming the place, e.g. `messages[2].content[0].type`
 */
export function parseChatMessages(value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_MESSAGES) {
    throw failServe('INVALID_VALUE', { field: 'messages', rule: `must be a list of 1 to ${MAX_MESSAGES} messages` });
  }
  return value.map((message: unknown, i) => parseMessage(message, `messages[${i}]`));
}

function parseMessage(message: unknown, field: string): ChatMessage {
  if (!isObject(message)) throw failServe('INVALID_VALUE', { field, rule: 'must be an object with role and content' });
  const { role, name } = message;
  if (role === 'tool' || role === 'function')
    throw failServe('UNSUPPORTED_PARAMETER', { field: `${field}.role`, neutral: ` or write ${ROLES.join(', ')}` });
  const known = ROLES.find((candidate) => candidate === role);
  if (known === undefined) throw failServe('INVALID_VALUE', { field: `${field}.role`, rule: `must be one of ${ROLES.join(', ')}` });
  for (const calls of ['tool_calls', 'function_call', 'audio'] as const) {
    const found = message[calls];
    if (found !== undefined && found !== null && !(Array.isArray(found) && found.length === 0))
      throw failServe('UNSUPPORTED_PARAMETER', { field: `${field}.${calls}`, neutral: '' });
  }
  if (name !== undefined && name !== null && typeof name !== 'string')
    throw failServe('INVALID_VALUE', { field: `${field}.name`, rule: 'must be a text' });
  return {
    role: known === 'developer' ? 'system' : known,
    content: parseContent(message['content'], `${field}.content`),
    ...(typeof name === 'string' ? { name } : {}),
  };
}

function parseContent(content: unknown, field: string): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content) || content.length === 0)
    throw failServe('INVALID_VALUE', { field, rule: 'must be a text or a list of text parts' });
  return content
    .map((part: unknown, i) => {
      const place = `${field}[${i}]`;
      if (!isObject(part)) throw failServe('INVALID_VALUE', { field: place, rule: 'must be an object with type and text' });
      if (part['type'] !== 'text')
        throw failServe('UNSUPPORTED_PARAMETER', { field: `${place}.type`, neutral: ' or write "text": the models here read text alone' });
      if (typeof part['text'] !== 'string') throw failServe('INVALID_VALUE', { field: `${place}.text`, rule: 'must be a text' });
      return part['text'];
    })
    .join('\n');
}
