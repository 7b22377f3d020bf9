// Keeps one text codec per base model, read on first use.
import { Injectable } from '@nestjs/common';
import { BraidError } from '#src/http/braid-error.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';
import { failTokenizer } from '#src/tokenizer/tokenizer.errors.js';

/** What a codec is looked up by: a registered model's digest, and where its files are. */
export interface TokenizerSource {
  readonly name: string;
  readonly digest: string;
  readonly directory: string;
}

@Injectable()
export class TokenizerService {
  private readonly codecs = new Map<string, Promise<TextCodec>>();

  /** The registered base model's codec. @throws BraidError TOKENIZER_GONE; a failure is not kept, so that a repaired directory works */
  get(baseModel: TokenizerSource): Promise<TextCodec> {
    // The digest covers the weights alone, so two directories may hold the same weights with different tokenizers.
    const key = `${baseModel.digest} ${baseModel.directory}`;
    const kept = this.codecs.get(key);
    if (kept !== undefined) return kept;
    const codec = loadRegistered(baseModel);
    this.codecs.set(key, codec);
    codec.catch(() => this.codecs.delete(key));
    return codec;
  }
}

/** The tokenizer was sound when the model was added: whoever asks for text now is not at fault. */
async function loadRegistered({ name, directory }: TokenizerSource): Promise<TextCodec> {
  try {
    return await loadTextCodec(directory);
  } catch (error) {
    if (!(error instanceof BraidError)) throw error;
    const { file, reason } = error.fields;
    throw failTokenizer('TOKENIZER_GONE', { name, reason: `${String(file)}: ${String(reason ?? 'it does not exist')}` }, error);
  }
}
