// The part of @huggingface/tokenizers that is used here, typed: its own declarations import without file extensions, which NodeNext reads as `any`.
import * as library from '@huggingface/tokenizers';

export interface TokenizerLibrary {
  /** Cuts a text into the words that the model encodes one by one; null where the whole text is one. */
  readonly pre_tokenizer: ((text: string) => readonly string[]) | null;
  /** An id is undefined where the vocabulary has neither the piece nor an unknown token. */
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: readonly (number | undefined)[] };
  /** @throws Error on an empty list */
  decode(
    ids: readonly number[],
    options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): ReadonlyMap<string | undefined, number>;
  get_added_tokens_decoder(): ReadonlyMap<number, { readonly id: number; readonly content: string; readonly special: boolean }>;
}

const { Tokenizer } = library as unknown as {
  readonly Tokenizer: new (tokenizer: Readonly<Record<string, unknown>>, config: Readonly<Record<string, unknown>>) => TokenizerLibrary;
};

/** Opens a parsed tokenizer.json. @throws Error when the library cannot */
export function openTokenizer(tokenizer: Readonly<Record<string, unknown>>, config: Readonly<Record<string, unknown>>): TokenizerLibrary {
  return new Tokenizer(tokenizer, config);
}
