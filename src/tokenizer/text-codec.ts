// Text ↔ tokens of one base model: encoding, decoding whole and in a stream, token texts and bytes, chat template, end-of-sequence tokens.
import { type ChatMessage, ChatTemplate, type ChatTemplateOptions } from '#src/tokenizer/chat-template.js';
import { type BytePiece, ByteStreamDecoder, type StreamDecoder, WindowStreamDecoder } from '#src/tokenizer/stream-decoder.js';
import { byteLevelTokenBytes, sentencePieceTokenBytes, textOfBytes } from '#src/tokenizer/token-bytes.js';
import { failTokenizer } from '#src/tokenizer/tokenizer.errors.js';
import { openTokenizer, type TokenizerLibrary } from '#src/tokenizer/tokenizers-library.js';
import type { TokenizerFiles } from '#src/tokenizer/tokenizer-files.js';

export interface DecodeOptions {
  /** Leave out the tokens that the tokenizer marks as special. @default true */
  readonly skipSpecialTokens?: boolean;
}

export interface StreamDecoderOptions extends DecodeOptions {
  /** The tokens before the stream: a text that goes on keeps the space that the first token of a text would lose. @default [] */
  readonly context?: readonly number[];
}

/** One base model's text side. Never cleans up spaces around punctuation, so that pieces of a stream add up to the whole. */
export interface TextCodec {
  /**
   * Token ids of the text.
   * @param options.addSpecialTokens let the tokenizer add its own (BOS …). @default true
   * @throws BraidError WORD_TOO_LONG
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  /** Text of the tokens; ids that the tokenizer does not know give nothing. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  createStreamDecoder(options?: StreamDecoderOptions): StreamDecoder;
  /** @throws BraidError CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions): string;
  /** The token's own text, special ones too; `bytes:\xe2\x96` where it is not whole characters. */
  tokenText(id: number): string;
  /** The token as the vocabulary writes it (`Ġthe`, `▁the`); undefined for ids that the tokenizer does not know. */
  vocabularyEntry(id: number): string | undefined;
  /** Whether the tokenizer marks the token as special. */
  isSpecial(id: number): boolean;
  /** The token's own bytes; empty for ids that the tokenizer does not know. */
  tokenBytes(id: number): Uint8Array;
  readonly hasChatTemplate: boolean;
  readonly bosToken: string | undefined;
  /** The tokenizer's end-of-sequence token, with which training examples end. */
  readonly eosTokenId: number | undefined;
  /** Every token that ends an answer: of generation_config.json, config.json and the tokenizer. */
  readonly eosTokenIds: readonly number[];
  /** UTF-16 units of the longest vocabulary entry: a text of n units has at least n / longest tokens, unless its tokenizer drops text. */
  readonly longestTokenLength: number;
}

/** Byte-pair merging of one word of half a million characters takes seconds, and the process does nothing else meanwhile. */
const LONGEST_WORD = 16_384;

/** The codec of a model directory's files. @throws BraidError TOKENIZER_INVALID */
export function createTextCodec(files: TokenizerFiles): TextCodec {
  return new HuggingFaceTextCodec(files);
}

class HuggingFaceTextCodec implements TextCodec {
  private readonly tokenizer: TokenizerLibrary;
  private readonly vocabulary: (string | undefined)[] = [];
  private readonly addedIds: ReadonlySet<number>;
  private readonly specialIds: ReadonlySet<number>;
  private readonly byteLevel: boolean;
  private readonly byteFallback: boolean;
  private readonly chatTemplate: ChatTemplate | undefined;
  readonly bosToken: string | undefined;
  readonly eosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
  readonly longestTokenLength: number;

  constructor(files: TokenizerFiles) {
    try {
      this.tokenizer = openTokenizer(files.tokenizer, files.tokenizerConfig);
    } catch (cause) {
      throw failTokenizer(
        'TOKENIZER_INVALID',
        { file: 'tokenizer.json', reason: cause instanceof Error ? cause.message : String(cause) },
        cause,
      );
    }
    const lastId = [...this.tokenizer.get_vocab().values()].reduce((last, id) => Math.max(last, id), -1);
    for (let id = 0; id <= lastId; id++) this.vocabulary.push(this.tokenizer.id_to_token(id));
    const added = [...this.tokenizer.get_added_tokens_decoder().values()];
    this.addedIds = new Set(added.map((token) => token.id));
    this.specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    const decoders = decoderTypes(files.tokenizer['decoder']);
    this.byteLevel = decoders.length === 1 && decoders[0] === 'ByteLevel';
    this.byteFallback = decoders.includes('ByteFallback');
    this.bosToken = files.specialTokens['bos_token'];
    const eosToken = files.specialTokens['eos_token'];
    this.eosTokenId = eosToken === undefined ? undefined : this.tokenizer.token_to_id(eosToken);
    this.eosTokenIds = [...new Set([...(this.eosTokenId === undefined ? [] : [this.eosTokenId]), ...files.eosTokenIds])];
    this.chatTemplate = files.chatTemplate === undefined ? undefined : new ChatTemplate(files.chatTemplate, files.specialTokens);
    this.longestTokenLength = this.vocabulary.reduce((longest, token) => Math.max(longest, token?.length ?? 0), 1);
  }

  get hasChatTemplate(): boolean {
    return this.chatTemplate !== undefined;
  }

  encode(text: string, options: { readonly addSpecialTokens?: boolean } = {}): number[] {
    if (text.length > LONGEST_WORD) this.assertWords(text);
    const { ids } = this.tokenizer.encode(text, { add_special_tokens: options.addSpecialTokens ?? true });
    // A character that a vocabulary without an unknown token cannot write comes back as no id at all.
    return ids.filter((id) => id !== undefined);
  }

  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    if (this.byteLevel) {
      const stream = this.createStreamDecoder(options);
      return ids.map((id) => stream.push(id)).join('') + stream.end();
    }
    const printed = ids.filter((id) => this.isPrinted(id, options));
    return printed.length === 0 ? '' : this.tokenizer.decode(printed, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  createStreamDecoder(options: StreamDecoderOptions = {}): StreamDecoder {
    const isPrinted = (id: number) => this.isPrinted(id, options);
    if (this.byteLevel) {
      return new ByteStreamDecoder((id): BytePiece => {
        if (!isPrinted(id)) return undefined;
        return this.addedIds.has(id) ? this.vocabulary[id] : this.tokenBytes(id);
      });
    }
    const context = (options.context ?? []).filter(isPrinted);
    const decoder = new WindowStreamDecoder((ids) => this.decode(ids, options), context);
    return { push: (id) => (isPrinted(id) ? decoder.push(id) : ''), end: () => decoder.end() };
  }

  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions): string {
    if (this.chatTemplate === undefined) throw failTokenizer('CHAT_TEMPLATE_MISSING');
    return this.chatTemplate.render(messages, options);
  }

  tokenText(id: number): string {
    return textOfBytes(this.tokenBytes(id));
  }

  vocabularyEntry(id: number): string | undefined {
    return this.vocabulary[id];
  }

  isSpecial(id: number): boolean {
    return this.specialIds.has(id);
  }

  tokenBytes(id: number): Uint8Array {
    const token = this.vocabulary[id];
    if (token === undefined) return new Uint8Array();
    if (this.addedIds.has(id)) return new TextEncoder().encode(token);
    return this.byteLevel ? byteLevelTokenBytes(token) : sentencePieceTokenBytes(token, this.byteFallback);
  }

  private assertWords(text: string): void {
    for (const { length } of this.tokenizer.pre_tokenizer?.(text) ?? []) {
      if (length > LONGEST_WORD) throw failTokenizer('WORD_TOO_LONG', { found: length, limit: LONGEST_WORD });
    }
  }

  private isPrinted(id: number, options: DecodeOptions): boolean {
    if (this.vocabulary[id] === undefined) return false;
    return !((options.skipSpecialTokens ?? true) && this.specialIds.has(id));
  }
}

/** The types of a tokenizer.json decoder, a sequence flattened. */
function decoderTypes(decoder: unknown): string[] {
  if (typeof decoder !== 'object' || decoder === null || !('type' in decoder) || typeof decoder.type !== 'string') return [];
  if (decoder.type === 'Sequence' && 'decoders' in decoder && Array.isArray(decoder.decoders))
    return decoder.decoders.flatMap(decoderTypes);
  return [decoder.type];
}
