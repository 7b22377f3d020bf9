// Where a request may hold a text or a conversation.
import { failServe } from '#src/serve/serve.errors.js';

/** @throws BraidError INVALID_VALUE when neither prompt nor messages is given, or both */
export function assertOneInput({ prompt, messages }: { readonly prompt?: unknown; readonly messages?: unknown }): void {
  const hasPrompt = prompt !== undefined && prompt !== null;
  const hasMessages = messages !== undefined && messages !== null;
  if (hasPrompt !== hasMessages) return;
  throw failServe('INVALID_VALUE', {
    field: 'prompt',
    rule: `or messages is needed, one of them; found ${hasPrompt ? 'both' : 'neither'}`,
  });
}
