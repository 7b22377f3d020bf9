// Keeps one text codec per base model, read on first use.
import { Injectable } from '@nestjs/common';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

/** What a codec is looked up by: the model's digest, and where its files are. */
export interface TokenizerSource {
  readonly digest: string;
  readonly directory: string;
}

@Injectable()
export class TokenizerService {
  private readonly codecs = new Map<string, Promise<TextCodec>>();

  /** The base model's codec. @throws BraidError TOKENIZER_MISSING, TOKENIZER_INVALID; a failure is not kept, so that a repaired directory works */
  get(baseModel: TokenizerSource): Promise<TextCodec> {
    // The digest covers the weights alone, so two directories may hold the same weights with different tokenizers.
    const key = `${baseModel.digest} ${baseModel.directory}`;
    const kept = this.codecs.get(key);
    if (kept !== undefined) return kept;
    const codec = loadTextCodec(baseModel.directory);
    this.codecs.set(key, codec);
    codec.catch(() => this.codecs.delete(key));
    return codec;
  }
}
