// What a prompt's tokens are, and the text of tokens, without computing anything with them.
import { Injectable } from '@nestjs/common';
import { assertTokens, encodeChat, encodePrompt } from '#src/serve/encode-prompt.js';
import { writeFront } from '#src/serve/front.js';
import { assertOneInput } from '#src/serve/one-input.js';
import { failServe } from '#src/serve/serve.errors.js';
import { ServedModelsService } from '#src/serve/served-models.service.js';
import type { DetokenizeRequestDto, TokenizeRequestDto } from '#src/serve/tokenize/tokenize-request.dto.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';

export interface TokenizedPrompt {
  readonly count: number;
  /** Tokens of prompt and answer together. */
  readonly max_model_len: number;
  /** All that the model would read: what a composition puts in front, too. */
  readonly tokens: readonly number[];
  /** As the vocabulary writes them; null unless asked for. */
  readonly token_strs: readonly string[] | null;
}

@Injectable()
export class TokenizeService {
  constructor(
    private readonly models: ServedModelsService,
    private readonly tokenizers: TokenizerService,
  ) {}

  /**
   * The tokens that a completion of this prompt, or a chat of these messages, begins with.
   * @throws BraidError MODEL_NOT_FOUND, INVALID_VALUE, and as a completion or chat of it
   */
  async tokenize(request: TokenizeRequestDto): Promise<TokenizedPrompt> {
    assertOneInput(request);
    const text = request.prompt ?? undefined;
    const { baseModel, prompt: own } = await this.models.resolve({ model: request.model });
    const codec = await this.tokenizers.get(baseModel);
    const { ids } =
      text === undefined
        ? encodeChat({ ...request, messages: request.messages }, codec, baseModel, own)
        : encodePrompt({ text }, codec, baseModel, {
            field: 'prompt',
            addSpecialTokens: request.add_special_tokens ?? true,
            front: writeFront(request.model, own),
            own,
          });
    return {
      count: ids.length,
      max_model_len: baseModel.contextLength,
      tokens: ids,
      token_strs: request.return_token_strs === true ? ids.map((id) => codec.vocabularyEntry(id) ?? '') : null,
    };
  }

  /** The text of tokens, special ones written out. @throws BraidError MODEL_NOT_FOUND, INVALID_VALUE */
  async detokenize({ model, tokens }: DetokenizeRequestDto): Promise<{ readonly prompt: string }> {
    const { baseModel } = await this.models.resolve({ model });
    const { contextLength } = baseModel;
    if (tokens.length > contextLength) {
      const rule = `must hold at most ${contextLength} tokens, the model's context; found ${tokens.length}`;
      throw failServe('INVALID_VALUE', { field: 'tokens', rule });
    }
    assertTokens(tokens, baseModel, 'tokens');
    const codec = await this.tokenizers.get(baseModel);
    return { prompt: codec.decode(tokens, { skipSpecialTokens: false }) };
  }
}
