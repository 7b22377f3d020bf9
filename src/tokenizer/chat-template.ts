// A model's own chat template (Jinja), rendered as Hugging Face transformers does: the same variables, trimming and functions.
import { Template } from '@huggingface/jinja';
import { failTokenizer } from '#src/tokenizer/tokenizer.errors.js';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
}

export interface ChatTemplateOptions {
  /** Append the opening of the assistant's turn. */
  readonly addGenerationPrompt: boolean;
  /** Further variables of the template, e.g. `{ enable_thinking: false }`; they win over the special tokens. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export class ChatTemplate {
  private compiled: Template | undefined;

  /** @param specialTokens `bos_token`, `eos_token` … as the tokenizer's configuration names them */
  constructor(
    private readonly source: string,
    private readonly specialTokens: Readonly<Record<string, string>>,
  ) {}

  /**
   * The conversation as one text, to be encoded without special tokens (the template writes them).
   * @throws BraidError CHAT_TEMPLATE_FAILED with the template's own reason (`raise_exception`) or what the engine could not do
   */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions): string {
    try {
      this.compiled ??= new Template(this.source);
      return this.compiled.render({
        ...this.specialTokens,
        ...options.variables,
        messages,
        add_generation_prompt: options.addGenerationPrompt,
      });
    } catch (cause) {
      throw failTokenizer('CHAT_TEMPLATE_FAILED', { reason: cause instanceof Error ? cause.message : String(cause) }, cause);
    }
  }
}
