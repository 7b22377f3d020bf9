// The text codec of a model directory.
import { createTextCodec, type TextCodec } from '#src/tokenizer/text-codec.js';
import { readTokenizerFiles } from '#src/tokenizer/tokenizer-files.js';

/** Reads a Hugging Face model directory's tokenizer. @throws BraidError TOKENIZER_MISSING, TOKENIZER_INVALID */
export async function loadTextCodec(directory: string): Promise<TextCodec> {
  return createTextCodec(await readTokenizerFiles(directory));
}
